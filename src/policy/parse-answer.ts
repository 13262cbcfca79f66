import { PolicyFault } from './decision-point.ts';

/**
 * Strict JSON of a decision point. A name that stands twice in one object is refused too: readers differ on
 * which of the two counts, and one of them may say allow.
 *
 * @throws PolicyFault answer
 */
export function parseAnswer(bytes: Uint8Array): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which is nobody's to log.
    throw new PolicyFault('answer', 'the answer is not JSON');
  }
  if (hasDuplicateName(text)) throw new PolicyFault('answer', 'the answer names a field twice');
  return value;
}

/** Walks text that is known to be valid JSON. */
function hasDuplicateName(text: string): boolean {
  // One entry for each open bracket: the names seen in an object, null in an array.
  const open: (Set<string> | null)[] = [];
  let nameExpected = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (nameExpected && names) {
        const name = String(JSON.parse(text.slice(at, end + 1)));
        if (names.has(name)) return true;
        names.add(name);
        nameExpected = false;
      }
      at = end;
    } else if (char === '{') {
      open.push(new Set());
      nameExpected = true;
    } else if (char === '[') {
      open.push(null);
      nameExpected = false;
    } else if (char === '}' || char === ']') {
      open.pop();
    } else if (char === ',') {
      nameExpected = open.at(-1) !== null;
    }
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
