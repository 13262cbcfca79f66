import { WardenError } from '../../src/kernel/errors.ts';
import { AgentConnection } from '../../src/signing/agent-connection.ts';
import { AgentFault } from '../../src/ssh/agent-fault.ts';
import { encodeStatusRequest, readStatusAnswer } from '../../src/ssh/agent-request.ts';
import { columns, type Output } from '../output.ts';

/** Issuing asks the daemon, and the daemon its decision point. */
const TIMEOUT_MS = 40_000;

interface Status {
  readonly actors: readonly {
    readonly actor: string;
    readonly offered: boolean;
    readonly key_id?: string;
    readonly valid_before?: string;
    readonly error?: { kind: string; reason: string; message: string; hint: string; ledger_seq?: number };
  }[];
  readonly problem?: string;
}

/** Shows what the running agent offers, and why something is not. 0 where everything is offered, else 1. */
export async function showAgentStatus(path: string, out: Output): Promise<number> {
  const status = await ask(path);
  const missing = status.actors.filter(({ offered }) => !offered);
  if (out.json) out.object(status);
  else {
    const rows = status.actors
      .filter(({ offered }) => offered)
      .map(({ actor, key_id, valid_before }) => [actor, `until ${valid_before ?? ''}`, key_id ?? '']);
    for (const row of columns(rows)) out.note(row);
    if (status.problem !== undefined) {
      out.error({ text: 'warden: refused:', style: 'red' }, ` the agent has nothing to offer: ${status.problem}`);
      out.error('  do: start it with --actor NAME; `warden actors` lists yours');
    }
    for (const { actor, error } of status.actors) {
      if (error === undefined) continue;
      const ledger = error.ledger_seq === undefined ? '' : ` · ledger ${error.ledger_seq}`;
      out.error({ text: `warden: ${error.kind}:`, style: 'red' }, ` ${actor}: ${error.message}`);
      out.error(`  why: ${error.reason}${ledger}`);
      out.error(`  do: ${error.hint}`);
    }
  }
  return missing.length > 0 || status.actors.length === 0 ? 1 : 0;
}

async function ask(path: string): Promise<Status> {
  const hint = 'start it: warden agent, or systemctl --user start warden-agent.service';
  try {
    const connection = new AgentConnection(path, { timeoutMs: TIMEOUT_MS, maxInFlight: 1, maxWaiting: 1 });
    try {
      const json = readStatusAnswer(await connection.request(encodeStatusRequest()));
      if (json !== null) return JSON.parse(json) as Status;
    } finally {
      connection.close();
    }
  } catch (error) {
    if (!(error instanceof AgentFault)) throw error;
    throw new WardenError('daemon_unreachable', `no warden agent at ${path}: ${error.message}`, { hint });
  }
  throw new WardenError('invalid_request', `the agent at ${path} is locked, or is no warden agent`, {
    hint: 'unlock it: ssh-add -X',
  });
}
