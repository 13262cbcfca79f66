import type { OptionSpec } from './command-spec.ts';

/** Options of every command that pushes. */
export const PUSH_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  push: { type: 'boolean', summary: 'bring the list onto the hosts of the inventory, over ssh' },
  host: { type: 'string', value: 'NAME', multiple: true, summary: 'with --push: only this host; repeatable' },
  to: { type: 'string', value: 'PATH', summary: 'with --push: where hosts have it; /etc/ssh/warden.krl by default' },
  login: { type: 'string', value: 'USER', summary: 'with --push: log in as this user' },
  sudo: { type: 'boolean', summary: 'with --push: write by sudo -n' },
  'ssh-option': {
    type: 'string',
    value: 'OPTION',
    multiple: true,
    summary: 'with --push: as ssh takes it after -o; repeatable',
  },
};
