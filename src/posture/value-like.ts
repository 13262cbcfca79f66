/**
 * Tells what looks like a secret value from what looks like a name. Refuses too much rather than too little: a
 * manifest holds names that people chose, and those are short, worded and repetitive. What it answers names the
 * kind of thing found, never the text.
 */
export function valueLike(text: string): string | null {
  const shape = shapeLike(text);
  if (shape !== null) return shape;
  for (const [run] of text.matchAll(RUN)) if (isRandom(run)) return 'a random string';
  return null;
}

/** The same for a path of the file system, whose folders may have random names: what is known by its shape alone. */
export function shapeLike(text: string): string | null {
  return SHAPES.find(([, pattern]) => pattern.test(text))?.[0] ?? null;
}

/** Keys whose scalar is a value by their own word: `password`, `npm_token`, `clientSecret`. */
export function valueKey(key: string): boolean {
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  return VALUE_WORD.test(words);
}

const VALUE_WORD =
  /(^|[^a-z])(values?|passwords?|passwd|pwd|passphrases?|pass|tokens?|secrets?|api[_-]?keys?|private[_-]?keys?|secret[_-]?keys?|access[_-]?keys?|credentials?|cookies?|otp|totp|pin|seed|mnemonic|pem|jwt|bearer)$/;

const SHAPES: readonly (readonly [string, RegExp])[] = [
  ['a private key', /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File|b3BlbnNzaC1rZXktdjE/],
  ['an armoured block', /-----BEGIN [A-Z]/],
  ['an age key', /AGE-SECRET-KEY-|AGE-PLUGIN-[A-Z]/i],
  ['an OpenBao token', /(^|[^A-Za-z0-9])(hv[sbr]\.[A-Za-z0-9_-]{8}|[sbr]\.[A-Za-z0-9]{20})/],
  ['a JSON web token', /eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}/],
  [
    "a service's token",
    /(^|[^A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{10}|github_pat_|glpat-|npm_[A-Za-z0-9]{16}|pypi-A|xox[abeoprs]-|sk[-_](live|test|proj|ant)[-_]|rk_live_|AIza[A-Za-z0-9_-]{12}|dop_v1_|ya29\.|SG\.[A-Za-z0-9_-]{12}|(AKIA|ASIA|AROA|AGPA)[A-Z0-9]{12})/,
  ],
  ['a password in an address', /:\/\/[^\s/@:]*:[^\s/@]+@/],
  ['an authorization header', /\b(bearer|basic)\s+[A-Za-z0-9+/_=.-]{8,}/i],
  ['a password hash', /\$(2[aby]|argon2(id?|d)|5|6|y|scrypt|pbkdf2)[$-]/],
  ['a UUID', /(^|[^0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])/i],
];

/** A stretch that could be one opaque value: base64, base64url, base32, hex and the like. */
const RUN = /[A-Za-z0-9+/_=.~!@#$%^&*-]{16,}/g;

/**
 * Names are words with separators; a random string has its digits and its cases mixed where no word has them.
 * Judged part by part, so that a long path of short words stays a name.
 */
function isRandom(run: string): boolean {
  const parts = run.split(/[-_.:/@=~]+/);
  if (parts.some(randomPart)) return true;
  // Base64 may have its separators anywhere. Names of short parts change from letters to digits too, in one case.
  const whole = parts.join('');
  const mixed = /[a-z]/.test(whole) && /[A-Z]/.test(whole) && /\d/.test(whole);
  return mixed && whole.length >= 20 && switches(whole) / whole.length >= 0.33;
}

/** `customerRecordsDatabase`: every capital begins a word. A random string of that length has none like it. */
const CAMEL = /^[A-Z]?[a-z]+([A-Z][a-z]{2,})+\d{0,4}$/;

function randomPart(part: string): boolean {
  if (part.length < 12 || CAMEL.test(part)) return false;
  if (/^\d+$/.test(part)) return part.length >= 20;
  if (/^[0-9a-f]+$/i.test(part)) return part.length >= 16 && /\d/.test(part) && /[a-f]/i.test(part);
  const bits = entropy(part);
  if (part.length >= 40 && bits >= 3.5) return true;
  if (part.length >= 24 && bits >= 3.8) return true;
  if (/[!#$%^&*+]/.test(part)) return bits >= 3;
  // One word with one number or one capital in it switches a few times, a random string all the time.
  const rate = switches(part) / part.length;
  return bits >= 3.2 && rate >= (part.length >= 20 ? 0.15 : 0.33);
}

/** How often the kind of character (lower, upper, digit, other) changes from one to the next. */
function switches(text: string): number {
  let count = 0;
  let before = '';
  for (const character of text) {
    const kind = /[a-z]/.test(character) ? 'a' : /[A-Z]/.test(character) ? 'A' : /\d/.test(character) ? '0' : '!';
    if (before !== '' && kind !== before) count += 1;
    before = kind;
  }
  return count;
}

/** Shannon entropy in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
