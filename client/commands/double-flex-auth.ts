import { startFlexAuthDouble } from '../../src/doubles/flex-auth-server.ts';
import { usageError } from '../args.ts';
import type { Invocation } from '../invocation.ts';
import { refuseInProd } from '../refuse-in-prod.ts';
import { reportError } from '../report-error.ts';

/** Serves until it is told to stop. A stand-in has no business where prod is in force. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const registryFile = args.string('registry');
  if (registryFile === undefined) {
    throw usageError('double flex-auth needs --registry FILE', 'make one: warden registry build --out FILE');
  }
  await refuseInProd(invocation);
  const double = await startFlexAuthDouble({
    addr: args.string('addr') ?? '127.0.0.1:8080',
    registryFile,
    policyFile: args.string('policy') ?? null,
    logFile: args.string('log') ?? null,
  });
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  process.on('SIGHUP', () => {
    double.reload().then(
      () => out.note('registry read again'),
      (error: unknown) => reportError(error, out),
    );
  });
  if (out.json) out.object({ address: double.address, double: true });
  else out.line(`flex-auth double (synthetic) on ${double.address}`);
  await stopped;
  await double.close();
  return 0;
}
