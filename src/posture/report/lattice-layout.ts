import { MATURITIES, type Maturity } from '../../kernel/posture.ts';
import type { JudgedFlow } from '../check.ts';
import { demandOf } from '../lattice.ts';
import type { Environment, Manifest, ManifestSecret, ManifestWorkload } from '../manifest.ts';

/** Boxes of one column: more is no picture. Those of refused flows come first, and the tables hold all. */
const MAX_BOXES = 40;
const BOX_HEIGHT = 46;
const GAP = 12;
const BAND_PADDING = 14;
const EMPTY_BAND = 44;
export const BOX_WIDTH = 276;
export const WIDTH = 1000;
export const SECRET_X = 196;
const WORKLOAD_X = WIDTH - BOX_WIDTH - 16;

export interface Band {
  readonly level: Maturity;
  readonly y: number;
  readonly height: number;
}

export interface Box {
  readonly kind: 'secret' | 'workload';
  readonly name: string;
  readonly note: string;
  /** Of another environment than the one drawn. */
  readonly foreign: boolean;
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

export interface Arrow {
  readonly conforms: boolean;
  readonly label: string;
  readonly from: { readonly x: number; readonly y: number };
  readonly to: { readonly x: number; readonly y: number };
}

export interface Drawing {
  readonly height: number;
  readonly bands: readonly Band[];
  readonly boxes: readonly Box[];
  /** Refused ones last, so that they lie on top. */
  readonly arrows: readonly Arrow[];
  /** Flows that the picture leaves out. */
  readonly left: number;
}

interface Item {
  readonly key: string;
  readonly name: string;
  readonly note: string;
  readonly level: Maturity;
  readonly foreign: boolean;
}

/**
 * One environment as a picture: secrets on the left at the maturity they demand, workloads on the right at the
 * maturity they have, the highest on top. A flow that conforms then runs level or upwards, never down.
 */
export function layLattice(environment: Environment, manifest: Manifest, flows: readonly JudgedFlow[]): Drawing {
  const secrets = new Map(manifest.secrets.map((secret) => [secret.id, secret]));
  const workloads = new Map(manifest.workloads.map((workload) => [workload.id, workload]));
  const here = flows.filter((flow) => secrets.get(flow.secret)?.environment === environment.id);
  const sorted = [...here].sort((a, b) => Number(a.conforms) - Number(b.conforms));
  const left = column(
    [
      ...sorted.map(({ secret }) => secrets.get(secret)),
      ...manifest.secrets.filter((s) => s.environment === environment.id),
    ],
    (secret) => secretItem(secret, environment),
  );
  const right = column(
    [
      ...sorted.map(({ workload }) => workloads.get(workload)),
      ...manifest.workloads.filter((w) => w.environment === environment.id),
    ],
    (workload) => workloadItem(workload, environment),
  );
  const bands: Band[] = [];
  const boxes: Box[] = [];
  const places = { secret: new Map<string, Box>(), workload: new Map<string, Box>() };
  let y = 0;
  for (const level of [...MATURITIES].reverse()) {
    const inLeft = left.filter((item) => item.level === level);
    const inRight = right.filter((item) => item.level === level);
    const rows = Math.max(inLeft.length, inRight.length);
    const height = rows === 0 ? EMPTY_BAND : rows * BOX_HEIGHT + (rows - 1) * GAP + 2 * BAND_PADDING;
    bands.push({ level, y, height });
    for (const [kind, items, x] of [
      ['secret', inLeft, SECRET_X],
      ['workload', inRight, WORKLOAD_X],
    ] as const) {
      // Fewer boxes than the other column has: in the middle of the band.
      const used = items.length * BOX_HEIGHT + Math.max(0, items.length - 1) * GAP;
      items.forEach((item, row) => {
        const top = y + (height - used) / 2 + row * (BOX_HEIGHT + GAP);
        const box = { kind, name: item.name, note: item.note, foreign: item.foreign, x, y: top, height: BOX_HEIGHT };
        boxes.push(box);
        places[kind].set(item.key, box);
      });
    }
    y += height;
  }
  const arrows = sorted.reverse().flatMap((flow): Arrow[] => {
    const from = places.secret.get(flow.secret);
    const to = places.workload.get(flow.workload);
    if (from === undefined || to === undefined) return [];
    return [
      {
        conforms: flow.conforms,
        label: `${flow.secret} to ${flow.workload}: ${flow.conforms ? 'permitted' : 'refused'}`,
        from: { x: from.x + BOX_WIDTH, y: from.y + from.height / 2 },
        to: { x: to.x, y: to.y + to.height / 2 },
      },
    ];
  });
  return { height: y, bands, boxes, arrows, left: here.length - arrows.length };
}

function column<Source extends { readonly id: string }>(
  sources: readonly (Source | undefined)[],
  item: (source: Source) => Item,
): readonly Item[] {
  const found = new Map<string, Item>();
  for (const source of sources) {
    if (source !== undefined && !found.has(source.id) && found.size < MAX_BOXES) found.set(source.id, item(source));
  }
  return [...found.values()];
}

/** In dev a secret demands nothing: its value is a double's, whatever the name guards elsewhere. */
function secretItem(secret: ManifestSecret, drawn: Environment): Item {
  const demand = { requiredMaturity: secret.required_maturity, dataClass: secret.data_class };
  return {
    key: secret.id,
    name: secret.id,
    note: `${secret.data_class} · requires ${secret.required_maturity}`,
    level: drawn.posture === 'dev' ? 'M0' : demandOf(demand),
    foreign: false,
  };
}

function workloadItem(workload: ManifestWorkload, drawn: Environment): Item {
  const foreign = workload.environment !== drawn.id;
  return {
    key: workload.id,
    name: workload.id,
    note: foreign ? `runs in ${workload.environment}` : `workload of ${drawn.id}`,
    level: workload.maturity,
    foreign,
  };
}
