import type { Dependency, PolicyStatus, StatusResponse } from '../src/rpc/generated/warden/v1/warden.ts';
import { shortTime } from './evidence.ts';
import { columns, counted, type Output, type Piece } from './output.ts';

/** The status for a person: what runs, what it depends on, what to read. */
export function printStatus(status: StatusResponse, out: Output): void {
  for (const line of statusLines(status)) out.line(...line);
}

/** The same as lines, each in pieces. */
export function statusLines(status: StatusResponse): readonly (readonly Piece[])[] {
  const lines: Piece[][] = [];
  const { snapshot, ledger, policy } = status;
  const since = status.startedAt === undefined ? '' : `, since ${shortTime(status.startedAt)}`;
  lines.push([
    { text: `wardend ${status.version}`, style: 'bold' },
    ` · ${status.posture} · ${status.mode} mode · pid ${status.pid}${since}`,
  ]);
  const rows: string[][] = [];
  if (snapshot !== undefined) {
    const loaded = snapshot.loadedAt === undefined ? '' : `, loaded ${shortTime(snapshot.loadedAt)}`;
    rows.push([
      'config',
      `generation ${snapshot.generation} (${snapshot.hash.slice(0, 12)}), ${counted(snapshot.actors, 'actor')}${loaded}`,
    ]);
  }
  rows.push(['backend', status.backend]);
  if (ledger !== undefined) {
    const counted = ledger.refusalsCounted > 0n ? `, ${ledger.refusalsCounted} refusals counted only` : '';
    rows.push(['ledger', `record ${ledger.seq}${ledger.writable ? '' : ', not writable'}${counted}`]);
  }
  rows.push([
    'work',
    `${status.certificatesIssued} issued, ${status.refusals} refused, ${status.connections} connected${status.commandsRunning > 0 ? `, ${status.commandsRunning} commands running` : ''}`,
  ]);
  if (policy?.enabled) rows.push(['gate', gateLine(policy)]);
  if (status.configDir !== '') rows.push(['folders', `${status.configDir} and ${status.stateDir}`]);
  for (const row of columns(rows)) lines.push([`  ${row}`]);
  for (const dependency of status.dependencies) lines.push(dependencyLine(dependency));
  for (const problem of snapshot?.problems ?? []) lines.push([{ text: '  not in force: ', style: 'red' }, problem]);
  for (const change of snapshot?.changes ?? []) lines.push([`  changed: ${change}`]);
  for (const notice of status.notices) lines.push([{ text: '  note: ', style: 'yellow' }, notice]);
  return lines;
}

function gateLine(policy: PolicyStatus): string {
  const closed = policy.failClosed ? 'fail closed' : 'fail open';
  const who = policy.double ? 'synthetic double' : `${policy.protocol} at ${policy.url}`;
  const counts = `${policy.asked} asked, ${policy.cacheHits} from cache, ${policy.shared} shared, ${policy.faults} faults`;
  const glass =
    policy.breakGlassUntil === undefined ? '' : `; BREAK-GLASS OPEN until ${shortTime(policy.breakGlassUntil)}`;
  return `${who}, ${closed}, breaker ${policy.breaker}; ${counts}${glass}`;
}

function dependencyLine({ name, state, detail, hint }: Dependency): Piece[] {
  const style = state === 'serving' ? 'green' : state === 'off' ? 'dim' : 'red';
  const words = state.replace('_', ' ');
  return [
    '  ',
    { text: words.padEnd(11), style },
    `  ${name}`,
    detail === '' ? '' : `: ${detail}`,
    hint === '' ? '' : `; ${hint}`,
  ];
}

/** The whole status with names as on the wire in snake case. */
export function statusJson(status: StatusResponse): unknown {
  return snakeCase(status);
}

function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
      snakeCase(inner),
    ]),
  );
}
