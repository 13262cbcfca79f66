import { WireError } from './wire.ts';

/** `type base64 comment`, as .pub files have it. */
export interface KeyLine {
  readonly word: string;
  readonly base64: string;
  /** White space at both ends removed; may be empty. */
  readonly comment: string;
}

/**
 * What must not stand in a line that is printed to terminals and written into other files: control characters,
 * invisible and direction-changing ones, separators, halves of surrogate pairs.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Is the text free of control, invisible and direction-changing characters? */
export function isPrintable(text: string): boolean {
  return !UNPRINTABLE.test(text);
}

/**
 * Splits one line of at most `maxLength` characters; one line end at its end is allowed. Words are separated by
 * spaces or tabs. @throws WireError
 */
export function splitKeyLine(text: string, maxLength: number): KeyLine {
  if (text.length > maxLength) throw new WireError(`the line is longer than ${maxLength} characters`);
  const line = text.replace(/\r?\n$/, '');
  if (line.trim() === '') throw new WireError('the line is empty');
  if (/[\r\n]/.test(line)) throw new WireError('there is more than one line');
  // Tabs separate words and are the one control character that may stand here.
  if (!isPrintable(line.replaceAll('\t', ' '))) throw new WireError('the line holds control or invisible characters');
  const match = /^([^ \t]+)(?:[ \t]+([^ \t]+)(?:[ \t]+(.*))?)?/.exec(line);
  if (match?.[1] === undefined) throw new WireError('the line begins with white space');
  return { word: match[1], base64: match[2] ?? '', comment: (match[3] ?? '').replaceAll('\t', ' ').trim() };
}

/** Decodes base64 in its only canonical form (padded, no stray bits, no white space). @throws WireError */
export function decodeBase64(text: string, what: string): Buffer {
  if (text === '') throw new WireError(`${what} is missing`);
  const bytes = Buffer.from(text, 'base64');
  // Node skips what it cannot read; encoding again shows whether it did.
  if (bytes.toString('base64') !== text) throw new WireError(`${what} is not canonical base64`);
  return bytes;
}

/** `type base64 comment` without a line end. @throws WireError where the comment could break out of its line */
export function joinKeyLine(word: string, blob: Buffer, comment: string): string {
  if (!isPrintable(comment)) throw new WireError('the comment holds control or invisible characters');
  const base64 = blob.toString('base64');
  return comment === '' ? `${word} ${base64}` : `${word} ${base64} ${comment}`;
}
