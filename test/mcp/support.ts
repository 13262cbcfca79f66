import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { builtPrograms } from '../support/built.ts';

export interface Agent {
  readonly client: Client;
  /** Of the server. */
  readonly pid: number;
  readonly folder: string;
  /** What a tool answers, as data; `raw` is all that the client's model would see. */
  call(name: string, args?: Record<string, unknown>): Promise<Answer>;
  stderr(): string;
  close(): Promise<void>;
}

export interface Answer {
  readonly isError: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of whatever shape the tool gives
  readonly data: any;
  readonly raw: string;
}

/** The SDK's own client before `warden mcp`, in a folder of its own. */
export async function startAgent(
  socket: string,
  { args = [], env = {} }: { args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Agent> {
  const folder = mkdtempSync(join(tmpdir(), 'warden-mcp-'));
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [builtPrograms().warden, 'mcp', ...args],
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      XDG_CACHE_HOME: '/proc',
      LC_ALL: 'C.UTF-8',
      WARDEN_SOCKET: socket,
      ...env,
    },
    cwd: folder,
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const client = new Client({ name: 'test-agent', version: '1.0.0' });
  await client.connect(transport);
  return {
    client,
    pid: transport.pid ?? 0,
    folder,
    async call(name, toolArgs = {}) {
      const result = (await client.callTool({ name, arguments: toolArgs })) as CallToolResult;
      return { isError: result.isError === true, data: result.structuredContent, raw: JSON.stringify(result) };
    },
    stderr: () => stderr,
    async close() {
      await client.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
