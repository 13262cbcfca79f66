import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { sshKeygenOk } from './ssh-keygen.ts';
import { keyFolder, testKey } from './ssh-keys.ts';

/** What `ssh-keygen -l` says of one line. */
export interface Reading {
  readonly bits: number;
  readonly fingerprint: string;
  /** `ED25519`, `ECDSA-CERT` and the like. */
  readonly type: string;
}

/**
 * Reads thousands of lines with one ssh-keygen; null for those it takes for no key. It prints nothing for such a
 * line, so a marker key after each line tells which of the printed keys belong to it.
 */
export async function readWithOpenSsh(lines: readonly string[]): Promise<(Reading | null)[]> {
  const marker = await testKey('ssh-ed25519', 'marker');
  const file = join(mkdtempSync(join(keyFolder(), 'batch-')), 'keys');
  writeFileSync(file, `${[marker.line, ...lines.flatMap((line) => [line, marker.line])].join('\n')}\n`);
  const mark = fingerprint(marker.publicKey.blob);
  const answers: (Reading | null)[] = [];
  let reading: Reading | null = null;
  // It prints a certificate's key id as it stands, newlines of a hostile one too: a reading goes on until the next begins.
  const printed = (await sshKeygenOk(['-l', '-f', file])).trimEnd().split(/\n(?=\d+ SHA256:)/);
  for (const line of printed.slice(1)) {
    const [, bits, print, type] = /^(\d+) (SHA256:\S+) .*\(([A-Z0-9-]+)\)$/s.exec(line) ?? [];
    if (print === undefined || type === undefined) throw new Error(`ssh-keygen printed what was not foreseen: ${line}`);
    if (print !== mark) {
      if (reading !== null) throw new Error('ssh-keygen read two keys from one line');
      reading = { bits: Number(bits), fingerprint: print, type };
      continue;
    }
    answers.push(reading);
    reading = null;
  }
  if (answers.length !== lines.length) throw new Error(`${answers.length} answers for ${lines.length} lines`);
  return answers;
}
