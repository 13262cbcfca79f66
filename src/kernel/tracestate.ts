const LONGEST = 512;
const LONG_MEMBER = 128;
const MOST_MEMBERS = 32;
// https://www.w3.org/TR/trace-context/#tracestate-header: a key, "=", and printable ASCII without "," and "=".
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * What other systems keep in a trace, to be sent on as it came: the headers of that name as one, of 512 characters at
 * most. "" where there is none, or where one member is none: then nothing of it is believed.
 */
export function parseTracestate(headers: readonly unknown[]): string {
  const members: string[] = [];
  for (const header of headers) {
    if (typeof header !== 'string' || header.length > 8_192) return '';
    for (const part of header.split(',')) {
      const member = part.replace(/^[ \t]+|[ \t]+$/g, '');
      if (member === '') continue;
      if (!MEMBER.test(member)) return '';
      members.push(member);
    }
  }
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  if (members.length > MOST_MEMBERS || keys.size < members.length) return '';
  return shortened(members);
}

/** As the specification has it where there is too much: long members go first, then from the end, whole ones only. */
function shortened(members: readonly string[]): string {
  const whole = members.join(',');
  if (whole.length <= LONGEST) return whole;
  const kept = members.filter(({ length }) => length <= LONG_MEMBER);
  while (kept.join(',').length > LONGEST) kept.pop();
  return kept.join(',');
}
