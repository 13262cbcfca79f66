/**
 * What a terminal's program puts between two characters of a value, and nobody sees: line wraps, and escape sequences
 * of colour and cursor. A gap is read byte by byte; what a string sequence (OSC, DCS) carries is text, and no gap.
 */
export const GAP = { none: 0, escape: 1, control: 2, charset: 3, overwritten: 4, ended: 5 } as const;
export type Gap = (typeof GAP)[keyof typeof GAP];

const CR = 0x0d;
const LF = 0x0a;
const ESC = 0x1b;

/**
 * What `byte` makes of a gap: one that goes on, or has ended; `none` where this is no gap. `isNext`: the value goes on
 * with this byte.
 */
export function gapAfter(gap: Gap, byte: number, isNext: boolean): Gap {
  switch (gap) {
    case GAP.none:
    case GAP.ended:
      if (isLineBreak(byte)) return GAP.ended;
      if (byte === ESC) return GAP.escape;
      // readline moves to the next line of a terminal by a blank, or by what comes next, and goes back to write over it.
      return byte === 0x20 || isNext ? GAP.overwritten : GAP.none;
    case GAP.overwritten:
      return byte === CR ? GAP.ended : GAP.none;
    case GAP.escape:
      if (byte === 0x5b) return GAP.control;
      return byte >= 0x20 && byte <= 0x2f ? GAP.charset : isFinal(byte, 0x30);
    case GAP.charset:
      return byte >= 0x20 && byte <= 0x2f ? GAP.charset : isFinal(byte, 0x30);
    case GAP.control:
      return byte >= 0x20 && byte <= 0x3f ? GAP.control : isFinal(byte, 0x40);
  }
}

export function isLineBreak(byte: number): boolean {
  return byte === CR || byte === LF;
}

function isFinal(byte: number, from: number): Gap {
  return byte >= from && byte <= 0x7e ? GAP.ended : GAP.none;
}
