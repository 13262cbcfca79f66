import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { warden } from '../../support/cli.ts';
import { keyFolder } from '../../support/ssh-keys.ts';
import type { Subject } from './subjects.ts';

const evidence = z.object({
  serial: z.string(),
  key_id: z.string(),
  fingerprint: z.string(),
  principals: z.array(z.string()),
  valid_after: z.string(),
  valid_before: z.string(),
  ca_fingerprint: z.string(),
});

/** A certificate that a real wardend issued over its socket, and what it said of it. */
export interface Signed {
  readonly subject: Subject;
  /** The certificate's file. */
  readonly certificate: string;
  readonly evidence: z.output<typeof evidence>;
}

/** `warden sign` as a user types it. @throws where it refuses, with what it printed */
export async function sign(
  socket: string,
  actor: string,
  subject: Subject,
  options: readonly string[] = [],
): Promise<Signed> {
  const certificate = join(keyFolder(), `${randomBytes(8).toString('hex')}-cert.pub`);
  const args = ['sign', actor, '--pubkey', `${subject.file}.pub`, '--out', certificate, '--json', ...options];
  const { code, stdout, stderr } = await warden(args, { env: { WARDEN_SOCKET: socket } });
  if (code !== 0) throw new Error(`warden ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return { subject, certificate, evidence: evidence.parse(JSON.parse(stdout)) };
}

/** The lines for TrustedUserCAKeys, as an administrator takes them: `warden ca --quiet`. */
export async function publishedKeys(socket: string): Promise<string[]> {
  const { code, stdout, stderr } = await warden(['ca', '--quiet'], { env: { WARDEN_SOCKET: socket } });
  if (code !== 0) throw new Error(`warden ca ended with ${code}: ${stderr}`);
  return stdout.trimEnd().split('\n');
}
