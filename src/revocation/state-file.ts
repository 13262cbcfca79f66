import type { RestraintState } from './restraints.ts';

/** What lies in the state folder beside the ledger: all of it can be made anew from the ledger's records. */
export interface SavedRestraints {
  readonly state: RestraintState;
  /** Of the list that was written last, and its date in milliseconds since the epoch. */
  readonly number: bigint;
  readonly generatedAt: number;
  /** Wire encodings of every authority key that this daemon has had. */
  readonly authorities: readonly Buffer[];
}

const VERSION = 1;

export function encodeSaved({ state, number, generatedAt, authorities }: SavedRestraints): string {
  const { seq, time, serials, keyIds, keys, actors, lockdown } = state;
  const ends = (map: ReadonlyMap<unknown, bigint | null>): [string, number | null][] =>
    [...map].map(([key, until]) => [String(key), until === null ? null : Number(until)]);
  return `${JSON.stringify(
    {
      version: VERSION,
      seq,
      time,
      number: String(number),
      generated_at: generatedAt,
      lockdown,
      actors: [...actors],
      keys: [...keys],
      key_ids: ends(keyIds),
      serials: ends(serials),
      authorities: authorities.map((blob) => blob.toString('base64')),
    },
    null,
    1,
  )}\n`;
}

/** Null where the text is not what `encodeSaved` writes: then the ledger is asked. */
export function decodeSaved(text: string): SavedRestraints | null {
  try {
    const file = JSON.parse(text) as Record<string, unknown>;
    if (file.version !== VERSION) return null;
    return {
      state: {
        seq: whole(file.seq),
        time: whole(file.time),
        serials: new Map(ends(file.serials).map(([serial, until]) => [BigInt(serial), until])),
        keyIds: new Map(ends(file.key_ids)),
        keys: new Set(texts(file.keys)),
        actors: new Set(texts(file.actors)),
        lockdown: lockdown(file.lockdown),
      },
      number: BigInt(string(file.number)),
      generatedAt: whole(file.generated_at),
      authorities: texts(file.authorities).map((blob) => Buffer.from(blob, 'base64')),
    };
  } catch {
    return null;
  }
}

function lockdown(value: unknown): RestraintState['lockdown'] {
  if (value === null) return null;
  const { since, reason } = value as Record<string, unknown>;
  return { since: whole(since), reason: string(reason) };
}

function ends(value: unknown): [string, bigint | null][] {
  return list(value).map((entry) => {
    const [key, until] = list(entry);
    return [string(key), until === null ? null : BigInt(whole(until))];
  });
}

function texts(value: unknown): string[] {
  return list(value).map(string);
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError('not a list');
}

function string(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('not a text');
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError('not a whole number');
}
