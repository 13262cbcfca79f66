import { existsSync, openSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WardenError } from '../../src/kernel/errors.ts';
import { answers, findProgram } from '../demo/programs.ts';
import { demoLogin } from '../demo/ssh-login.ts';
import { DemoFailure, Stage } from '../demo/stage.ts';
import type { Invocation } from '../invocation.ts';

const ACTOR = 'agt-demo';
/** Someone else's: nobody here may ask for it. */
const FOREIGN_ACTOR = 'agt-elsewhere';

/** From nothing to a login and a verified ledger, through the very commands a user types. */
export async function run({ out }: Invocation): Promise<number> {
  const client = realpathSync(process.argv[1] ?? '');
  const daemon = join(dirname(client), 'wardend.mjs');
  if (!existsSync(daemon)) {
    throw new WardenError('internal', `there is no wardend beside ${client}`, {
      hint: 'build or install the whole package',
    });
  }
  const started = performance.now();
  const stage = new Stage(out);
  const interrupted = (): void => {
    stage.closeNow();
    process.exit(130);
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    await play(stage, client, daemon);
    out.line(
      { text: 'all as expected', style: 'green' },
      `, in ${((performance.now() - started) / 1000).toFixed(1)} s; nothing is left behind`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error;
    out.error({ text: 'the demo failed: ', style: 'red' }, error.message);
    return 1;
  } finally {
    await stage.close();
  }
}

async function play(stage: Stage, client: string, daemon: string): Promise<void> {
  const warden = (args: string, code: number, says?: RegExp) =>
    stage.step(`warden ${args}`, [process.execPath, client, ...args.split(' ')], {
      code,
      ...(says !== undefined && { says }),
    });

  stage.say('a config folder with a synthetic CA');
  await warden('init --posture dev --config config', 0, /posture dev/);
  stage.say(`two agents: ${ACTOR} is ours, ${FOREIGN_ACTOR} belongs to another user`);
  addAgents(stage.path('config', 'inventory.yaml'), process.getuid?.() ?? 0);
  await warden('check --config config', 0, /conforms/);

  stage.say('the daemon, on a socket of its own');
  const socket = stage.path('run', 'wardend.sock');
  const log = stage.path('wardend.log');
  const flags = ['--config', stage.path('config'), '--socket', socket, '--state', stage.path('state')];
  const child = stage.start([process.execPath, daemon, ...flags], openSync(log, 'a', 0o600));
  try {
    await stage.until('wardend', child, () => answers({ path: socket }));
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error;
    throw new DemoFailure(`${error.message}: ${readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' | ')}`);
  }
  stage.env.WARDEN_SOCKET = socket;
  await warden('status', 0, /dev/);

  stage.say('a key of the agent, and a certificate for it that lasts a quarter of an hour');
  const keygen = findProgram('ssh-keygen', stage.env.PATH);
  if (keygen === null) {
    stage.say('left out: ssh-keygen and the login, since this machine has no OpenSSH (Debian: openssh-client)');
    await warden(`issue ${ACTOR} --ttl 15m --out key`, 0, /certificate/);
  } else {
    const make = ['-q', '-t', 'ed25519', '-N', '', '-C', ACTOR, '-f', 'key'];
    await stage.step(`ssh-keygen -q -t ed25519 -N "" -C ${ACTOR} -f key`, [keygen, ...make], { code: 0 });
    await warden(`sign ${ACTOR} --pubkey key.pub --ttl 15m`, 0, /certificate/);
    await stage.step('ssh-keygen -L -f key-cert.pub', [keygen, '-L', '-f', 'key-cert.pub'], {
      code: 0,
      says: /synthetic-agt-demo\//,
    });
    stage.say('a real sshd that trusts the CA and nothing else');
    const { stdout } = await warden('ca --quiet', 0, /^\s*ssh-ed25519 /m);
    await demoLogin(stage, stdout, ACTOR);
  }

  stage.say('refused: longer than the actor may have');
  await warden(`sign ${ACTOR} --pubkey key.pub --ttl 999`, 1, /ttl_out_of_bounds/);
  stage.say('refused: an actor that lists other callers');
  await warden(`sign ${FOREIGN_ACTOR} --pubkey key.pub`, 1, /caller_not_allowed/);
  stage.say('all of it is on the record, and the record is whole');
  await warden('ledger tail', 0, /caller_not_allowed/);
  await warden('ledger verify --state state', 0);
}

/** Puts the two agents into the inventory that init wrote. */
function addAgents(inventory: string, uid: number): void {
  const other = uid === 65_534 ? 65_533 : 65_534;
  const agents = [
    `  - { name: ${ACTOR}, type: agt, principals: [${ACTOR}], ttl_hours: 1, max_ttl_hours: 8, callers: [{ uid: ${uid} }] }`,
    `  - { name: ${FOREIGN_ACTOR}, type: agt, principals: [${FOREIGN_ACTOR}], callers: [{ uid: ${other} }] }`,
  ];
  writeFileSync(inventory, `${readFileSync(inventory, 'utf8').replace(/^#.*\n/gm, '')}${agents.join('\n')}\n`);
}
