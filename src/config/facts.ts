/** What a config file's meaning takes from the machine. Adapters answer; the parser asks and nothing else. */
export interface Facts {
  /** Null: there is no such user. */
  uid(name: string): number | null;
  /** Null: there is no such group. */
  gid(name: string): number | null;
  /** Where a path ends once its links are followed; null: there is nothing there. */
  realPath(path: string): string | null;
  /** Another answer for another file, or for other bytes in it; null: there is nothing there. The file is not read. */
  fileIdentity(path: string): string | null;
}

/** Every question asked and its answer: as long as they hold, a file that did not change means what it meant. */
export type FactRecord = readonly (readonly [kind: keyof Facts, name: string, answer: string | number | null])[];

/** Answers through another, each question once, and keeps the record. */
export function recordingFacts(facts: Facts): { readonly facts: Facts; record(): FactRecord } {
  const uids = new Map<string, number | null>();
  const gids = new Map<string, number | null>();
  const paths = new Map<string, string | null>();
  const files = new Map<string, string | null>();
  return {
    facts: {
      uid: (name) => remembered(uids, name, facts.uid),
      gid: (name) => remembered(gids, name, facts.gid),
      realPath: (path) => remembered(paths, path, facts.realPath),
      fileIdentity: (path) => remembered(files, path, facts.fileIdentity),
    },
    record: () => [
      ...[...uids].map(([name, answer]) => ['uid', name, answer] as const),
      ...[...gids].map(([name, answer]) => ['gid', name, answer] as const),
      ...[...paths].map(([name, answer]) => ['realPath', name, answer] as const),
      ...[...files].map(([name, answer]) => ['fileIdentity', name, answer] as const),
    ],
  };
}

export function factsHold(record: FactRecord, facts: Facts): boolean {
  return record.every(([kind, name, answer]) => facts[kind](name) === answer);
}

function remembered<Answer>(known: Map<string, Answer>, name: string, ask: (name: string) => Answer): Answer {
  const found = known.get(name);
  if (found !== undefined || known.has(name)) return found as Answer;
  const answer = ask(name);
  known.set(name, answer);
  return answer;
}
