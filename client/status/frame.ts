import type { StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import { clean, type Piece } from '../output.ts';
import { statusLines } from '../print-status.ts';
import type { ShownError } from '../report-error.ts';

/** What one moment of the live view shows. */
export interface View {
  /** The newest there is; shown faintly while the daemon is lost. */
  readonly status: StatusResponse;
  /** When it came, and now: milliseconds since the epoch. */
  readonly seenAt: number;
  readonly now: number;
  /** Null while the daemon answers. */
  readonly lost: { readonly error: ShownError; readonly since: number } | null;
  /** Newest last. */
  readonly news: readonly { readonly at: number; readonly text: string }[];
}

/** Columns and rows of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const NEWS_SHOWN = 8;

/**
 * The lines of one screen, never more than there are rows nor wider than there are columns: what does not fit is
 * counted in the last one.
 */
export function frame(view: View, { columns, rows }: Size): readonly (readonly Piece[])[] {
  const head = headline(view);
  const body: Piece[][] = [
    ...statusLines(view.status).map((line) => (view.lost === null ? [...line] : faint(line))),
    [],
    [{ text: view.news.length === 0 ? 'no change since the view was opened' : 'changes', style: 'dim' }],
    ...view.news.slice(-NEWS_SHOWN).map(({ at, text }): Piece[] => [{ text: clock(at), style: 'dim' }, `  ${text}`]),
  ];
  const lines = [head, ...body].flatMap((line) => wrapped(line, columns));
  if (lines.length <= rows) return lines;
  const room = Math.max(1, rows - 1);
  return [
    ...lines.slice(0, room),
    [{ text: `… ${lines.length - room} more lines; make the window taller`, style: 'dim' as const }],
  ].slice(0, rows);
}

function headline({ lost, now, seenAt }: View): Piece[] {
  if (lost === null) {
    return [
      { text: 'live', style: 'green' },
      ` ${clock(now)}, last change ${ago(now - seenAt)}`,
      { text: '   q ends it', style: 'dim' },
    ];
  }
  return [{ text: 'LOST', style: 'red' }, ` for ${span(now - lost.since)}: ${lost.error.message}; trying again`];
}

function faint(line: readonly Piece[]): Piece[] {
  return line.map((piece) => ({ text: typeof piece === 'string' ? piece : piece.text, style: 'dim' }));
}

/** A line on as many rows as it needs, broken at spaces where there are any, the rest indented. */
function wrapped(line: readonly Piece[], columns: number): Piece[][] {
  const width = Math.max(8, columns);
  const rows: Piece[][] = [[]];
  let used = 0;
  for (const piece of line) {
    const [text, style] = typeof piece === 'string' ? [clean(piece), null] : [clean(piece.text), piece.style];
    for (const word of text.match(/ +|[^ ]+/g) ?? []) {
      for (const part of chunks(word, width - INDENT.length)) {
        const size = cells(part);
        if (used + size > width) {
          if (part.trim() === '') continue;
          rows.push([INDENT]);
          used = INDENT.length;
        }
        rows.at(-1)?.push(style === null ? part : { text: part, style });
        used += size;
      }
    }
  }
  return rows;
}

const INDENT = '      ';

function chunks(word: string, width: number): string[] {
  const parts: string[] = [''];
  for (const character of word) {
    const last = parts.at(-1) ?? '';
    if (cells(last + character) > width) parts.push(character);
    else parts[parts.length - 1] = last + character;
  }
  return parts;
}

/** Cells that a text takes: wide letters (East Asian, emoji) take two, marks that sit on others none. */
function cells(text: string): number {
  let count = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    count += WIDE.test(character) ? 2 : 1;
  }
  return count;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** `14:03:07`, in the time zone of whoever looks. */
function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8);
}

function ago(ms: number): string {
  return ms < 1_500 ? 'just now' : `${span(ms)} ago`;
}

/** `12 s`, `3 min 20 s`, `2 h 5 min`. */
function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
