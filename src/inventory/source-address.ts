/**
 * Holds a `source-address` against what sshd takes (addr_match_cidr_list in OpenSSH's addrmatch.c). sshd refuses
 * the whole certificate for one bad entry, and reads a block with bits set behind its mask as a bad entry.
 * Returns what is wrong and what to write, or null.
 */
export function sourceAddressFault(list: string): { readonly message: string; readonly hint: string } | null {
  if (list === '') return { message: 'source-address is empty', hint: 'null, which allows any address, or 10.0.0.0/8' };
  if (list.length > 2048)
    return { message: 'source-address is longer than 2048 characters', hint: 'fewer, larger blocks' };
  for (const entry of list.split(',')) {
    const fault = entryFault(entry);
    if (fault !== null) return fault;
  }
  return null;
}

function entryFault(entry: string): { readonly message: string; readonly hint: string } | null {
  if (entry !== entry.trim() || entry === '') {
    return {
      message: 'source-address has an empty entry or a space',
      hint: 'addresses with commas and nothing else between them: 10.0.0.0/8,192.0.2.1',
    };
  }
  const slash = entry.indexOf('/');
  const address = slash === -1 ? entry : entry.slice(0, slash);
  const mask = slash === -1 ? null : entry.slice(slash + 1);
  const bytes = addressBytes(address);
  if (bytes === null)
    return {
      message: 'source-address holds what is no address',
      hint: 'IPv4 or IPv6 addresses, or blocks such as 10.0.0.0/8 or fd00::/8',
    };
  const bits = bytes.length * 8;
  if (mask === null) return null;
  if (!/^(?:0|[1-9]\d{0,2})$/.test(mask) || Number(mask) > bits) {
    return {
      message: `source-address has a mask that is no number from 0 to ${bits}`,
      hint: `${address}/${bits === 32 ? 24 : 64}`,
    };
  }
  const length = Number(mask);
  if (hostBitsSet(bytes, length)) {
    return {
      message: `source-address has bits set behind its /${length} mask, which sshd refuses`,
      hint: `${formatBytes(bytes.map((byte, index) => byte & maskOf(index, length)))}/${length}`,
    };
  }
  return null;
}

/** An address as its 4 or 16 bytes; null where it is none. IPv4 inside IPv6 is left out: sshd compares such a client as IPv4. */
function addressBytes(address: string): number[] | null {
  if (/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(address) && !address.endsWith('.')) {
    const bytes = address.split('.').map(Number);
    return bytes.every((byte) => byte <= 255) ? bytes : null;
  }
  const halves = address.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = [groups(halves[0] ?? ''), groups(halves[1] ?? '')];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail].flatMap((group) => [group >> 8, group & 0xff]);
}

function groups(text: string): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  return parts.every((part) => /^[\da-fA-F]{1,4}$/.test(part)) ? parts.map((part) => Number.parseInt(part, 16)) : null;
}

function maskOf(index: number, length: number): number {
  const kept = Math.max(0, Math.min(8, length - index * 8));
  return (0xff << (8 - kept)) & 0xff;
}

function hostBitsSet(bytes: readonly number[], length: number): boolean {
  return bytes.some((byte, index) => (byte & ~maskOf(index, length) & 0xff) !== 0);
}

function formatBytes(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  const words: string[] = [];
  for (let index = 0; index < 16; index += 2)
    words.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  return words.join(':').replace(/(?:^|:)0(?::0)+(?:$|:)/, '::');
}
