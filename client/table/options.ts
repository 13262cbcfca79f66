import { LEDGER_KINDS } from '../../src/ledger/record.ts';
import type { OptionSpec } from '../command-spec.ts';

// Options that several commands take, described once.

export const TTL: OptionSpec = { type: 'string', value: 'TTL', summary: 'lifetime: 90m, 8h or a bare number of hours' };
/** Of whatever the gate may be asked about. */
const ON_WHOSE_WORD: Readonly<Record<string, OptionSpec>> = {
  reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
  ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
  'id-token-file': {
    type: 'string',
    value: 'FILE',
    summary: 'a signed ID token (- is stdin); else WARDEN_ID_TOKEN',
    complete: 'file',
  },
};
export const REQUEST: Readonly<Record<string, OptionSpec>> = {
  ttl: TTL,
  principal: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    summary: "only these of the actor's principals; repeatable",
  },
  ...ON_WHOSE_WORD,
};
export const PUBKEY: OptionSpec = {
  type: 'string',
  value: 'FILE',
  summary: 'the public key (- is stdin)',
  complete: 'file',
};
export const STATE: OptionSpec = {
  type: 'string',
  value: 'DIR',
  summary: 'read this state folder, without a daemon',
  complete: 'folder',
};
export const FILTERS: Readonly<Record<string, OptionSpec>> = {
  actor: { type: 'string', value: 'ACTOR', summary: 'only this actor', complete: 'actor' },
  kind: {
    type: 'string',
    value: 'KIND',
    summary: 'only this kind: sign, issue, reload …',
    complete: LEDGER_KINDS,
  },
  outcome: {
    type: 'string',
    value: 'OUTCOME',
    summary: 'ok, refused or failed',
    complete: ['ok', 'refused', 'failed'],
  },
  reason: { type: 'string', value: 'CODE', summary: 'only this reason code' },
  serial: { type: 'string', value: 'N', summary: 'only the certificate with this serial' },
  request: { type: 'string', value: 'ID', summary: 'only this request' },
  since: { type: 'string', value: 'TIME', summary: 'from then on: 2h, 7d or 2026-06-24T10:00:00Z' },
  until: { type: 'string', value: 'TIME', summary: 'up to then, in the same forms' },
};
const WORKLOAD: OptionSpec = {
  type: 'string',
  value: 'ACTOR',
  summary: 'the workload that the secret is for',
  complete: 'actor',
};
export const ROUTE_REQUEST: Readonly<Record<string, OptionSpec>> = {
  actor: WORKLOAD,
  field: { type: 'string', value: 'NAME', multiple: true, summary: 'only this field; repeatable with --json' },
  output: {
    type: 'string',
    short: 'o',
    value: 'FILE',
    summary: 'where the value goes, with mode 0600; stdout by default',
    complete: 'file',
  },
  'wrap-ttl': {
    type: 'string',
    value: 'TIME',
    summary: 'a single-use wrapping token of OpenBao instead of the value',
  },
  ...ON_WHOSE_WORD,
};
export const EXEC_REQUEST: Readonly<Record<string, OptionSpec>> = {
  route: {
    type: 'string',
    value: 'ROUTE',
    multiple: true,
    summary: 'a route to a secret, with all that its inject: says; repeatable',
  },
  actor: WORKLOAD,
  'env-file': {
    type: 'string',
    value: 'FILE',
    summary: 'variables in dotenv form, NAME=warden://ROUTE/FIELD among them (- is stdin)',
    complete: 'file',
  },
  pristine: { type: 'boolean', summary: 'of your environment only PATH HOME USER LOGNAME SHELL TERM LANG LC_* TZ' },
  'no-mask': { type: 'boolean', summary: 'output as it is; only where every route allows it' },
  'no-network': { type: 'boolean', summary: 'run the command in an empty network namespace' },
  'no-stdin': { type: 'boolean', summary: 'an empty stdin and no terminal for the command' },
  ...ON_WHOSE_WORD,
};
export const COMMAND_LINE = { name: 'COMMAND', required: true, rest: true } as const;
export const ACTOR = { name: 'ACTOR', required: true, complete: 'actor' } as const;
type ValueOption = Omit<OptionSpec, 'summary'>;
export const POSTURE: ValueOption = { type: 'string', value: 'POSTURE', complete: ['dev', 'test', 'prod'] };
export const MATURITY: ValueOption = { type: 'string', value: 'LEVEL', complete: ['M0', 'M1', 'M2', 'M3'] };
export const DATA_CLASS: ValueOption = {
  type: 'string',
  value: 'CLASS',
  complete: ['synthetic', 'public', 'internal', 'confidential', 'restricted'],
};
export const DRILLS: Readonly<Record<string, OptionSpec>> = {
  at: { type: 'string', value: 'DAY', summary: 'judge the age of drills as of this day; today by default' },
  'restore-drill-max-age': {
    type: 'string',
    value: 'TIME',
    summary: 'how old a restore drill may be; 365d by default',
  },
  'break-glass-drill-max-age': {
    type: 'string',
    value: 'TIME',
    summary: 'how old a break-glass drill may be; 180d by default',
  },
};
