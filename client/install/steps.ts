/** One thing that is done to the machine. All that is needed to show it, to do it and to undo it. */
export type Step =
  | { readonly kind: 'account'; readonly name: string }
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number; readonly group: string | null }
  | FileStep
  | { readonly kind: 'command'; readonly argv: readonly string[] };

export interface FileStep {
  readonly kind: 'file';
  readonly path: string;
  readonly bytes: string | Buffer;
  readonly mode: number;
  /** Name of the group that it is given; null: as it comes. */
  readonly group: string | null;
  /** For the person who reads the list. */
  readonly what: string;
  /** `unit`: part of the installation, and goes with it. `config`: the user's from then on, and goes with --purge alone. */
  readonly part: 'unit' | 'config';
  /** Whether an older one of ours is replaced. */
  readonly replaces: boolean;
}

/** The first column and the rest, for the list that is shown before anything is done. */
export function describe(step: Step): readonly [string, string, string] {
  switch (step.kind) {
    case 'account':
      return ['user', step.name, 'a system user, and a group of that name'];
    case 'folder':
      return ['folder', step.path, `${octal(step.mode)}${step.group === null ? '' : `, group ${step.group}`}`];
    case 'file': {
      const group = step.group === null ? '' : `, group ${step.group}`;
      return [step.replaces ? 'replace' : 'file', step.path, `${octal(step.mode)}${group}: ${step.what}`];
    }
    case 'command':
      return ['run', step.argv.join(' '), ''];
  }
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
