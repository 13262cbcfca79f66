import { escapeJson, type Output, type Piece, type Style } from './output.ts';

const OUTCOMES: Readonly<Record<string, Style>> = { ok: 'green', refused: 'red', failed: 'yellow' };

/** A ledger record: with --json the line as it stands in the file, else what a person looks for in it. */
export function printRecord(json: string, out: Output): void {
  if (out.json) out.raw(`${escapeJson(json)}\n`);
  else out.line(...recordLine(json));
}

function recordLine(json: string): Piece[] {
  const record = readRecord(json);
  if (record === null) return ['(a line that is no record)'];
  const text = (key: string): string => {
    const value = record[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const labelled = (label: string, key: string): string => (text(key) === '' ? '' : ` · ${label}${text(key)}`);
  const list = (key: string): string => {
    const value = record[key];
    return Array.isArray(value) && value.length > 0
      ? ` · ${value.join(value.some((one) => String(one).includes(' ')) ? '; ' : ' ')}`
      : '';
  };
  const caller = record.caller as { uid?: unknown; exe?: unknown } | undefined;
  const who =
    caller?.uid === undefined ? '' : ` · uid ${caller.uid}${typeof caller.exe === 'string' ? ` ${caller.exe}` : ''}`;
  const outcome = text('outcome');
  return [
    `${text('seq').padStart(5)}  ${text('time')}  ${text('kind')} `,
    { text: outcome, style: OUTCOMES[outcome] ?? 'dim' },
    ` ${text('actor')}`.trimEnd(),
    labelled('', 'reason'),
    list('principals'),
    labelled('serial ', 'serial'),
    labelled('route ', 'route'),
    labelled('', 'command'),
    labelled('exit ', 'exit_code'),
    labelled('', 'openbao_path'),
    labelled('version ', 'openbao_version'),
    labelled('lease ', 'lease_id'),
    labelled('decision ', 'policy_decision_id'),
    record.break_glass === true ? ' · BREAK-GLASS' : '',
    labelled('times ', 'count'),
    labelled('', 'user_reason'),
    labelled('ticket ', 'ticket'),
    list('changes'),
    labelled('', 'action'),
    list('revoked'),
    who,
  ];
}

function readRecord(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
