import { WardenError } from '../src/kernel/errors.ts';
import { SshAgent } from '../src/signing/ssh-agent.ts';
import { formatPublicKey, parsePublicKeyBlob } from '../src/ssh/public-key.ts';
import { usageError } from './args.ts';

/** Public key lines of the plain keys in the agent; certificates and key types that are not signed are left out. */
export async function listAgentKeys(socket: string): Promise<string[]> {
  const agent = new SshAgent(socket);
  try {
    const lines: string[] = [];
    for (const { blob } of await agent.identities()) {
      try {
        lines.push(formatPublicKey(parsePublicKeyBlob(blob)));
      } catch (error) {
        if (!(error instanceof WardenError)) throw error;
      }
    }
    return lines;
  } catch (error) {
    throw agentError(error);
  } finally {
    agent.close();
  }
}

/** A failure of the user's own agent, as the user reads it. */
export function agentError(error: unknown): WardenError {
  const what = error instanceof Error && error.name === 'AgentFault' ? error.message : 'it answered wrongly';
  return usageError(`the ssh-agent at SSH_AUTH_SOCK is of no use: ${what}`, 'start one: eval "$(ssh-agent)"');
}
