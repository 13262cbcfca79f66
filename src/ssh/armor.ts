/**
 * Base64 between bytes and bytes, with the lines of a PEM block around it. Strings would be shorter, but a
 * private key in a string stays in memory until the collector happens to reuse it, and cannot be overwritten.
 */

const BEGIN = Buffer.from('-----BEGIN OPENSSH PRIVATE KEY-----\n');
const END = Buffer.from('-----END OPENSSH PRIVATE KEY-----\n');
const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
/** As ssh-keygen writes it. */
const LINE = 70;

const VALUES = new Int8Array(256).fill(-1);
for (const [value, char] of ALPHABET.entries()) VALUES[char] = value;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const PAD = 0x3d;

/** Is it a file of OpenSSH's own private key format? */
export function isOpenSshPrivateKey(file: Buffer): boolean {
  return file.subarray(0, BEGIN.length - 1).equals(BEGIN.subarray(0, -1));
}

/** The bytes inside the block; null where it is not one well-formed block and nothing else. The caller wipes them. */
export function openArmor(file: Buffer): Buffer | null {
  const end = file.indexOf(END.subarray(0, -1));
  if (!isOpenSshPrivateKey(file) || end < 0) return null;
  for (const byte of file.subarray(end + END.length - 1)) if (byte !== NEWLINE && byte !== RETURN) return null;
  return decode(file.subarray(BEGIN.length - 1, end));
}

/** The block around the bytes, as a file holds it. */
export function closeArmor(bytes: Buffer): Buffer {
  const digits = Math.ceil(bytes.length / 3) * 4;
  const body = Buffer.alloc(digits + Math.ceil(digits / LINE));
  let at = 0;
  let column = 0;
  const put = (char: number): void => {
    body[at++] = char;
    if (++column === LINE) {
      body[at++] = NEWLINE;
      column = 0;
    }
  };
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    put(ALPHABET[group >> 18] ?? 0);
    put(ALPHABET[(group >> 12) & 63] ?? 0);
    put(left > 1 ? (ALPHABET[(group >> 6) & 63] ?? 0) : PAD);
    put(left > 2 ? (ALPHABET[group & 63] ?? 0) : PAD);
  }
  if (column > 0) body[at++] = NEWLINE;
  const file = Buffer.concat([BEGIN, body.subarray(0, at), END]);
  body.fill(0);
  return file;
}

function decode(text: Buffer): Buffer | null {
  const out = Buffer.alloc(Math.ceil((text.length * 3) / 4));
  let length = 0;
  let group = 0;
  let bits = 0;
  let pads = 0;
  let digits = 0;
  for (const char of text) {
    if (char === NEWLINE || char === RETURN) continue;
    digits += 1;
    if (char === PAD) {
      pads += 1;
      continue;
    }
    const value = VALUES[char] ?? -1;
    if (value < 0 || pads > 0) return null;
    group = ((group << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[length++] = (group >> bits) & 0xff;
    }
  }
  const stray = group & ((1 << bits) - 1);
  if (digits % 4 !== 0 || pads > 2 || stray !== 0) return null;
  return out.subarray(0, length);
}
