import { Caller } from './load.ts';

/** Asks for certificates, refused or not, as fast as it is let, until it is killed. Says `flooding` once it does. */
const [, , socket = '', actor = '', publicKey = ''] = process.argv;
const caller = new Caller(socket, publicKey, actor);
let said = false;
const worker = async (): Promise<never> => {
  for (;;) {
    await caller.sign().catch(() => undefined);
    if (!said) process.stdout.write('flooding\n');
    said = true;
  }
};
await Promise.all(Array.from({ length: 64 }, worker));
