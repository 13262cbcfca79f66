import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { POSTURES } from '../../src/kernel/posture.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import { formatPrivateKey } from '../../src/ssh/private-key.ts';
import { formatPublicKey } from '../../src/ssh/public-key.ts';
import { quoted, usageError } from '../args.ts';
import { loadFolder } from '../config-offline.ts';
import { actorNameOf, inventoryYaml, wardenYaml } from '../init-files.ts';
import type { Invocation } from '../invocation.ts';
import { type NewFile, writeNewFolder } from '../new-folder.ts';
import { ownLogin } from '../own-login.ts';
import { ownPaths } from '../paths.ts';

const POSTURE_HINT = 'dev: synthetic, to try things out; test: real CA, not production; prod: everything enforced';

/** A config folder that works at once. Nothing that is there is touched. */
export async function run({ args, out, env }: Invocation): Promise<number> {
  const given = args.string('posture');
  if (given === undefined) throw usageError('init needs --posture dev, test or prod: nothing is guessed', POSTURE_HINT);
  const posture = POSTURES.find((known) => known === given);
  if (posture === undefined) throw usageError(`--posture ${quoted(given)} is none`, POSTURE_HINT);

  const dir = resolve(args.string('config') || ownPaths(env).configDir);
  const { username, uid } = ownLogin();
  const actor = actorNameOf(username, uid);
  const label = posture === 'dev' ? 'synthetic-ca' : 'warden-ca';
  const key = await generateKeyPair(
    'ed25519',
    `${label}-${posture}-${hostname().replace(/[^A-Za-z0-9.-]/g, '-') || 'host'}`,
  );
  const secret = formatPrivateKey(key);
  const files: NewFile[] = [
    { name: 'warden.yaml', bytes: wardenYaml(posture), mode: 0o600, what: 'settings' },
    { name: 'inventory.yaml', bytes: inventoryYaml(actor, username, uid), mode: 0o600, what: `actor ${actor}: you` },
    { name: 'ca_ed25519', bytes: secret, mode: 0o600, what: 'the CA private key; whoever has it signs' },
    {
      name: 'ca_ed25519.pub',
      bytes: `${formatPublicKey(key.publicKey)}\n`,
      mode: 0o644,
      what: fingerprint(key.publicKey.blob),
    },
  ];
  try {
    writeNewFolder(dir, files);
  } finally {
    secret.fill(0);
  }
  // What was just written must hold; if it does not, that is a defect and says so.
  const { problems } = await loadFolder(dir);
  if (problems.length > 0) throw new Error(`init wrote a config that does not hold: ${JSON.stringify(problems)}`);

  if (out.json) out.object({ folder: dir, posture, actor, files: files.map(({ name }) => name) });
  else {
    out.line(`wrote ${dir} (posture ${posture})`);
    for (const { name, what } of files) out.note(`  ${name.padEnd(14)}  ${what}`);
    out.note('next:');
    out.note(args.string('config') ? `  wardend --config ${forShell(dir)} &` : '  wardend &');
    out.note(`  warden sign ${actor}`);
  }
  return 0;
}

/** A path as a shell takes it. */
function forShell(path: string): string {
  return /^[A-Za-z0-9_./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
