import fc from 'fast-check';
import type { MaskedValue, Masker } from '../../../src/access/masker.ts';
import { createMasker } from '../../../src/access/masking/create-masker.ts';
import { Secret } from '../../../src/kernel/secret.ts';

export const bytes = (text: string | Uint8Array): Buffer => Buffer.from(text as string, 'utf8');

export function values(...texts: readonly (string | Buffer)[]): MaskedValue[] {
  return texts.map((text, index) => ({ route: `r${index}`, value: new Secret(Buffer.from(text as string, 'utf8')) }));
}

/** All that a masker lets out, over chunks that end where `cuts` says. */
export function outputOf(masker: Masker, stream: Buffer, cuts: readonly number[] = []): Buffer {
  const out: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts].filter((at) => at <= stream.length).sort((a, b) => a - b)) {
    // A copy, and overwritten afterwards: a masker must not count on the caller's bytes.
    const chunk = Buffer.from(stream.subarray(from, cut));
    out.push(Buffer.from(masker.push(chunk)));
    chunk.fill(0x7e);
    from = cut;
  }
  out.push(Buffer.from(masker.push(stream.subarray(from))), masker.end());
  return Buffer.concat(out);
}

export function masked(secrets: readonly MaskedValue[], text: string | Buffer, cuts: readonly number[] = []): string {
  return outputOf(createMasker(secrets), bytes(text), cuts).toString('latin1');
}

/** Where to cut a stream: nowhere, at single bytes, and in between. */
export const cutsOf = (length: number): fc.Arbitrary<readonly number[]> =>
  fc.oneof(
    fc.array(fc.nat({ max: length }), { maxLength: 12 }) as fc.Arbitrary<readonly number[]>,
    fc.constant([...Array(length).keys()]),
    fc.integer({ min: 1, max: 7 }).map((step) => [...Array(Math.ceil(length / step)).keys()].map((at) => at * step)),
  );

/** Leftmost, longest, on the whole buffer, the plain way. What overlaps a value before it is masked too. */
export function reference(secrets: readonly MaskedValue[], stream: Buffer): string {
  let out = '';
  let end = 0;
  let last = '';
  for (let at = 0; at < stream.length; at++) {
    let longest = 0;
    let route = '';
    for (const secret of secrets) {
      const value = secret.value.reveal();
      if (value.length > longest && stream.subarray(at, at + value.length).equals(value)) {
        longest = value.length;
        route = secret.route;
      }
    }
    if (at + longest > end && longest > 0) {
      if (at >= end || route !== last) out += `[masked:${route}]`;
      end = at + longest;
      last = route;
    }
    if (at >= end) out += String.fromCharCode(stream[at] ?? 0);
  }
  return out;
}
