import { Http2Error } from './http2-error.ts';
import { decodeHuffman } from './huffman.ts';
import type { Headers } from './trailers.ts';

/** RFC 7541, appendix A: names, and values where it has them. */
const STATIC: readonly (readonly [name: string, value: string])[] = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|' +
  ':status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((entry) => {
    const [name = '', value = ''] = entry.split('=');
    return [name, value] as const;
  });

/** Headers as literals without a code: three hundred bytes, once. */
export function writeHeaderBlock(headers: Readonly<Record<string, string>>): Buffer {
  const texts = Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]);
  return Buffer.concat(texts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length), bytes]);
}

function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128));
  return Buffer.from([...bytes, rest]);
}

/**
 * The headers in a block, by a peer that was told to keep no table. Where a name stands twice, the values are
 * joined as HTTP joins them. @throws Http2Error
 */
export function readHeaderBlock(block: Buffer): Headers {
  const reader = new BlockReader(block);
  const headers = new Map<string, string>();
  while (!reader.atEnd) {
    const field = reader.field();
    if (field === null) continue;
    const before = headers.get(field[0]);
    headers.set(field[0], before === undefined ? field[1] : `${before}, ${field[1]}`);
  }
  return Object.fromEntries(headers);
}

class BlockReader {
  readonly #block: Buffer;
  #at = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  get atEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  /** Null for what is no header but says how large the table is: 0, as we told it. */
  field(): readonly [string, string] | null {
    const first = this.#block[this.#at] ?? 0;
    if ((first & 0x80) !== 0) return entry(this.#integer(7));
    if ((first & 0xe0) === 0x20) {
      if (this.#integer(5) !== 0) throw new Http2Error('a header table that was not offered');
      return null;
    }
    const index = this.#integer((first & 0x40) !== 0 ? 6 : 4);
    const name = index === 0 ? this.#text() : entry(index)[0];
    return [name, this.#text()];
  }

  #integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let factor = 1; factor < 2 ** 28; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if ((byte & 0x80) === 0) return value;
    }
    throw new Http2Error('a number that is too large');
  }

  #text(): string {
    const coded = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const bytes = this.#block.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new Http2Error('a header that is cut short');
    this.#at += length;
    return (coded ? decodeHuffman(bytes) : bytes).toString('latin1');
  }

  #byte(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw new Http2Error('a header that is cut short');
    this.#at += 1;
    return byte;
  }
}

function entry(index: number): readonly [string, string] {
  const found = STATIC[index - 1];
  if (found === undefined) throw new Http2Error('a header out of a table that was not offered');
  return found;
}
