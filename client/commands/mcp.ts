import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import manifest from '../../package.json' with { type: 'json' };
import { usageError } from '../args.ts';
import type { Invocation } from '../invocation.ts';
import { execWithSecrets } from '../mcp/exec-with-secrets.ts';
import { explain } from '../mcp/explain.ts';
import { listRoutes } from '../mcp/list-routes.ts';
import { signCertificate } from '../mcp/sign-certificate.ts';
import type { Tool } from '../mcp/tool.ts';

const TOOLS: readonly Tool[] = [listRoutes, explain, signCertificate, execWithSecrets];

const INSTRUCTIONS =
  'Secrets of this machine are reached through catalogued routes, and never shown. list_routes says which there are; exec_with_secrets runs a command that gets their values. Where something is refused, the error says why and what to do; explain says it beforehand.';

/** Serves the tools on stdin and stdout until stdin ends. Nothing else may be written there. */
export async function run(invocation: Invocation): Promise<number> {
  if (process.stdin.isTTY === true) {
    throw usageError(
      'this speaks the Model Context Protocol, and stdin is a terminal',
      'see docs/mcp.md for how a client starts it',
    );
  }
  const server = new Server(
    { name: 'warden', title: 'warden', version: manifest.version },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: TOOLS.map(({ name, title, description, inputSchema, readOnly }) => ({
      name,
      title,
      description,
      inputSchema: { ...inputSchema, type: 'object' as const },
      annotations: {
        title,
        readOnlyHint: readOnly,
        destructiveHint: name === execWithSecrets.name,
        openWorldHint: !readOnly,
      },
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, { signal }) => {
    const tool = TOOLS.find(({ name }) => name === params.name);
    if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, 'there is no such tool');
    return tool.call(params.arguments, { invocation, signal });
  });
  const ended = new Promise<void>((resolve) => {
    server.onclose = resolve;
    // The transport does not look at the end of its input.
    process.stdin.once('end', () => void server.close());
  });
  await server.connect(new StdioServerTransport());
  await ended;
  return 0;
}
