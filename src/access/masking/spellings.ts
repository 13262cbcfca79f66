import { eitherCase, exactly, type Spelling, type SymbolNode, symbolOf } from './symbols.ts';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Of JSON, C, JavaScript, Python and bash's $'…'. */
const SHORT: ReadonlyMap<number, readonly string[]> = new Map([
  [0x00, ['0']],
  [0x07, ['a']],
  [0x08, ['b']],
  [0x09, ['t']],
  [0x0a, ['n']],
  [0x0b, ['v']],
  [0x0c, ['f']],
  [0x0d, ['r']],
  [0x1b, ['e', 'E']],
]);
/** Of HTML and XML. */
const ENTITIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['&', ['&amp;', '&#38;', '&#x26;']],
  ['<', ['&lt;', '&#60;', '&#x3C;', '&#x3c;']],
  ['>', ['&gt;', '&#62;', '&#x3E;', '&#x3e;']],
  ['"', ['&quot;', '&#34;', '&#x22;']],
  ["'", ['&apos;', '&#39;', '&#x27;', '&#039;']],
  // Template engines go beyond the five.
  ['`', ['&#96;', '&#x60;']],
  ['=', ['&#61;', '&#x3D;', '&#x3d;']],
  ['+', ['&#43;', '&#x2B;', '&#x2b;']],
  ['/', ['&#47;', '&#x2F;', '&#x2f;']],
  // Of a value with lines, in an attribute.
  ['\t', ['&#9;', '&#x9;']],
  ['\n', ['&#10;', '&#xA;', '&#xa;', '&#13;&#10;', '&#xD;&#xA;', '&#xd;&#xa;', '&#13;\n', '&#xD;\n', '&#xd;\n']],
]);
/** Twice for once: quotes in SQL, YAML and CSV; the others in unit files, Compose files and makefiles. */
const DOUBLED = '\'"%$';
/** A single quote inside single quotes of a shell. */
const QUOTED_QUOTE = ["'\\''", `'"'"'`];

/** `%2F`, `\x2f`, `\057`, and the byte itself. */
function asByte(byte: number): Spelling[] {
  const spellings = [[[byte]], eitherCase(`%${hex(byte, 2)}`), ...escaped(`x${hex(byte, 2)}`)];
  if (byte < 0x20 || byte > 0x7e) spellings.push(...escaped(byte.toString(8).padStart(3, '0')));
  return spellings;
}

/** After one backslash, or two: text inside text of the same kind is escaped twice. `u` and `x` are in lower case only. */
function escaped(letters: string): Spelling[] {
  const spelling = [...exactly(letters.slice(0, 1)), ...eitherCase(letters.slice(1))];
  return ['\\', '\\\\'].map((backslashes) => [...exactly(backslashes), ...spelling]);
}

/** CR and LF, both escaped in the same way. */
function escapedBreaks(): Spelling[] {
  const ways = ['r n', 'x0d x0a', 'u000d u000a', '015 012'].map((way) => way.split(' ').map(escaped));
  return ways.flatMap(([cr = [], lf = []]) => cr.map((spelling, depth) => [...spelling, ...(lf[depth] ?? [])]));
}

/** One byte of a value in raw, percent, JSON, shell and HTML spelling. */
function byteSymbol(byte: number): SymbolNode {
  const spellings = asByte(byte);
  const letter = String.fromCharCode(byte);
  if (byte < 0x80) spellings.push(...escaped(`u${hex(byte, 4)}`));
  for (const short of SHORT.get(byte) ?? []) spellings.push(exactly(`\\${short}`), exactly(`\\\\${short}`));
  if (byte > 0x1f && byte < 0x7f && !/[A-Za-z0-9]/.test(letter)) {
    spellings.push(exactly(`\\${letter}`), exactly(`\\\\\\${letter}`));
  }
  for (const entity of ENTITIES.get(letter) ?? []) spellings.push(exactly(entity));
  if (letter === "'") spellings.push(...QUOTED_QUOTE.map(exactly));
  if (DOUBLED.includes(letter)) spellings.push(exactly(letter + letter));
  if (letter === ' ') spellings.push(exactly('+'));
  // As a terminal shows it, and as a text file of another system ends its lines.
  if (letter === '\n') spellings.push(exactly('\r\n'), eitherCase('%0d%0a'), ...escapedBreaks());
  return symbolOf(spellings);
}

/** The first byte of a character beyond ASCII, whose code units JSON may write in place of all its bytes. */
function characterSymbol(character: string): SymbolNode {
  const bytes = Buffer.from(character, 'utf8');
  const units = [...character.split('')].map((unit) => hex(unit.charCodeAt(0), 4));
  const wide = ['\\', '\\\\'].map((backslash) =>
    units.flatMap((unit) => [...exactly(`${backslash}u`), ...eitherCase(unit)]),
  );
  return symbolOf(asByte(bytes[0] ?? 0), wide, bytes.length);
}

function hexSymbol(byte: number): SymbolNode {
  return symbolOf([eitherCase(hex(byte, 2))]);
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const OTHER_SPELLINGS: ReadonlyMap<string, readonly string[]> = new Map([
  ['+', ['+', '-', '%2B', '%2b', '\\u002b', '\\u002B']],
  ['/', ['/', '_', '%2F', '%2f', '\\/', '\\u002f', '\\u002F']],
  ['=', ['=', '%3D', '%3d', '\\u003d', '\\u003D']],
]);

/** Six bits, of which `known` (a mask) are the value's; the others belong to a neighbour. */
function base64Symbol(bits: number, known: number): SymbolNode {
  const letters = [...BASE64].filter((_, index) => (index & known) === (bits & known));
  return symbolOf(letters.flatMap((letter) => (OTHER_SPELLINGS.get(letter) ?? [letter]).map(exactly)));
}

function remembered(make: (key: number) => SymbolNode): (key: number) => SymbolNode {
  const known: SymbolNode[] = [];
  return (key) => {
    known[key] ??= make(key);
    return known[key];
  };
}

// Symbols are the same for every value: the process keeps those that it met, a few hundred.
export const ofByte = remembered(byteSymbol);
export const ofHexByte = remembered(hexSymbol);
const ofBits = remembered((key) => base64Symbol(key & 63, key >> 6));
/** See `base64Symbol`. */
export const ofBase64 = (bits: number, known: number): SymbolNode => ofBits((known << 6) | bits);
export const PADDING = symbolOf((OTHER_SPELLINGS.get('=') ?? []).map(exactly));
/** Not kept: which characters a value has is nobody's business afterwards. */
export const ofCharacter = characterSymbol;
