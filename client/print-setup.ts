import type { OpenBaoSettings } from '../src/config/snapshot.ts';
import type { Change } from '../src/openbao/setup/compare.ts';
import type { FileChange } from './openbao-setup-files.ts';
import type { Output } from './output.ts';

const MARKS = { create: '+', change: '~', keep: '=', conflict: '!' } as const;

export interface SetupReport {
  readonly changes: readonly Change[];
  readonly files: readonly FileChange[];
  readonly applied: boolean;
  /** False: nobody asked OpenBao, and what is there is not known. */
  readonly compared: boolean;
  readonly settings: OpenBaoSettings;
  readonly name: string;
}

/** What there is to make, or what was made, with its mark: + new, ~ changed, = as it should be, ! in conflict. */
export function printSetup(out: Output, { changes, files, applied, compared, settings, name }: SetupReport): void {
  const { address } = settings;
  if (out.json) {
    out.object({
      address,
      applied,
      compared,
      changes: changes.map(({ what, action, differences }) => ({ what, action, differences })),
      files,
    });
    return;
  }
  for (const { what, action, differences, wanted } of changes) {
    out.line(`${MARKS[action]} ${what}`);
    for (const { field, is, want } of differences) {
      if (field === 'policy') for (const line of want.split('\n')) out.line(`      ${line}`);
      else out.line(`      ${field}: ${is} -> ${want}`);
    }
    if (action !== 'create') continue;
    if (wanted.kind === 'policy') for (const line of wanted.text.trim().split('\n')) out.line(`      ${line}`);
    if (wanted.kind === 'role' || wanted.kind === 'approle') {
      for (const [field, value] of Object.entries(wanted.fields)) out.line(`      ${field}: ${shown(value)}`);
    }
  }
  for (const { path, what, action } of files) out.line(`${MARKS[action]} ${path} (${what})`);
  const count = (action: string): number => [...changes, ...files].filter((one) => one.action === action).length;
  const done = applied ? 'made' : 'to make';
  out.note(
    `${address}: ${count('create')} ${done}, ${count('change')} ${applied ? 'changed' : 'to change'}, ${count('keep')} as they should be, ${count('conflict')} in conflict`,
  );
  if (!compared) {
    out.note('no OpenBao token of yours was found, so this is all that is needed, compared with nothing that is there');
    out.note('to compare, log in: bao login; or set BAO_TOKEN');
  }
  if (count('conflict') > 0)
    out.note('! is something else than is wanted, and not ours to remove: nothing was touched there');
  noteOther(out, settings, name);
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return 'none';
  return value === '' ? 'none' : String(value);
}

function noteOther(out: Output, { login }: OpenBaoSettings, name: string): void {
  if (login === null) out.note(`openbao.login is not set: give the daemon a login whose token has the policy ${name}`);
  else if (login.method !== 'approle') {
    out.note(`${login.method}: its configuration is yours; give the daemon's role there the policy ${name}`);
  }
}
