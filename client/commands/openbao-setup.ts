import { daemonReads } from '../../src/config/daemon-reads.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { connectOpenBao } from '../../src/openbao/connect.ts';
import { OpenBaoFault } from '../../src/openbao/fault.ts';
import { compare } from '../../src/openbao/setup/compare.ts';
import { desiredState } from '../../src/openbao/setup/desired.ts';
import { Operator } from '../../src/openbao/setup/operator.ts';
import { usageError } from '../args.ts';
import { requireConfig } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { appRoleFiles, makeFolders, pinCa, wantedFiles } from '../openbao-setup-files.ts';
import { ambientToken } from '../openbao-token.ts';
import { printSetup } from '../print-setup.ts';

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;
/**
 * Makes what the daemon needs in OpenBao, or says what that would be. Run twice, it does nothing the second time. A look
 * without a token asks nobody and shows all of it: for whoever has to get it from the operator of OpenBao.
 */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out, env } = invocation;
  const apply = args.flag('apply');
  if (apply === args.flag('dry-run')) {
    throw usageError('openbao setup wants either --dry-run or --apply', 'look first: warden openbao setup --dry-run');
  }
  const name = args.string('name') ?? 'warden';
  if (!NAME.test(name)) throw usageError('--name is no name of a policy', 'letters, digits, dots and dashes');
  const snapshot = await requireConfig(invocation);
  const { openbao = null, posture, ttlCeilingsSeconds } = snapshot.settings;
  if (openbao === null) {
    throw new WardenError('config_invalid', 'warden.yaml has no openbao: block', {
      hint: 'openbao: { address: https://HOST:8200, login: { method: approle, … } }',
    });
  }
  const wanted = desiredState({
    ssh: openbao.ssh,
    login: openbao.login,
    actors: [...snapshot.actors.values()],
    hosts: snapshot.hosts,
    ceilingsSeconds: ttlCeilingsSeconds,
    reads: daemonReads(snapshot),
    name,
  });
  const token = ambientToken(env);
  if (token.length === 0) {
    if (apply) throw usageError('no OpenBao token of yours was found', 'log in: bao login; or set BAO_TOKEN');
    const changes = wanted.map((one) => compare(one, null));
    printSetup(out, { changes, files: wantedFiles(openbao), applied: false, compared: false, settings: openbao, name });
    return 0;
  }
  // The operator's token, not the daemon's login: no certificate of the daemon is shown.
  const client = connectOpenBao({ settings: openbao, login: null, acceptDoubles: posture !== 'prod' });
  const operator = new Operator(client, new Secret(token));
  try {
    const changes = await operator.inspect(wanted);
    const filesFor = async (there: boolean) => [
      await pinCa(operator, openbao, changes, there),
      ...(await appRoleFiles(operator, openbao, name, changes, there)),
    ];
    const before = await filesFor(false);
    const conflict = [...changes, ...before].some(({ action }) => action === 'conflict');
    // All or nothing, as far as can be seen beforehand.
    const there = apply && !conflict;
    if (there) {
      makeFolders(before);
      for (const { action, wanted: one } of changes) if (action !== 'keep') await operator.apply(one);
    }
    const files = there ? await filesFor(true) : before;
    printSetup(out, { changes, files, applied: there, compared: true, settings: openbao, name });
    return conflict || files.some(({ action }) => action === 'conflict') ? 1 : 0;
  } catch (error) {
    throw asOwnerError(error);
  } finally {
    token.fill(0);
    await client.close();
  }
}

/** What a failure is to the operator. */
function asOwnerError(error: unknown): unknown {
  if (!(error instanceof OpenBaoFault)) return error;
  const said = error.said === '' ? error.message : `${error.message}: ${error.said}`;
  const details = { cause: error };
  switch (error.kind) {
    case 'token_invalid':
      return new WardenError('owner_refused', 'OpenBao does not take your token', { ...details, hint: 'bao login' });
    case 'forbidden':
      return new WardenError('owner_refused', 'your token may not do this in OpenBao', {
        ...details,
        hint: 'it wants a token that may manage mounts, policies and login methods',
      });
    case 'rejected':
    case 'no_mount':
    case 'no_path':
    case 'no_value':
    case 'deleted':
    case 'no_namespace':
      return new WardenError('owner_refused', said, { ...details, hint: 'see openbao: in warden.yaml' });
    default:
      return new WardenError('owner_unavailable', said, {
        ...details,
        hint: 'see openbao.address and openbao.ca_file in warden.yaml, and whether OpenBao runs',
      });
  }
}
