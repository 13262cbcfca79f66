import type { Command } from '../command.ts';
import { loadMcp, online } from '../load-part.ts';

/** For agents, for a first look, for shells. */
export const TOOLS: readonly Command[] = [
  {
    name: 'mcp',
    summary: 'serve list_routes, explain, sign_certificate and exec_with_secrets to an agent over stdin and stdout',
    positionals: [],
    options: {
      actor: {
        type: 'string',
        value: 'ACTOR',
        summary: 'for whom, where a call does not say; else the one actor that admits you',
        complete: 'actor',
      },
    },
    notes: [
      'A Model Context Protocol server: an MCP client starts it, and asks the daemon as the process that it is. No tool ever answers with a value.',
      'Commands run in the folder that the server was started in, without a terminal, and always masked.',
    ],
    examples: [{ run: 'warden mcp --actor agt-example', says: 'in the configuration of an MCP client: docs/mcp.md' }],
    load: loadMcp,
  },
  {
    name: 'demo',
    summary: 'show it all in half a minute in a temporary folder: daemon, certificate, ssh login, refusals, ledger',
    positionals: [],
    options: {},
    notes: ['Leaves nothing behind. What this machine lacks is left out with a line that says so.'],
    examples: [{ run: 'warden demo', says: 'from nothing to a real login' }],
    load: () => online('demo'),
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    positionals: [{ name: 'SHELL', required: true, complete: ['bash', 'zsh', 'fish'] }],
    options: {},
    notes: ['Actors are completed by asking the daemon.'],
    examples: [
      { run: 'source <(warden completion bash)', says: 'in ~/.bashrc' },
      { run: 'warden completion fish > ~/.config/fish/completions/warden.fish', says: 'for fish' },
    ],
    load: () => online('completion'),
  },
  {
    name: 'version',
    summary: 'print the version of this client',
    positionals: [],
    options: {},
    notes: [],
    examples: [],
    load: () => online('version'),
  },
  {
    name: 'help',
    summary: 'show what a command does and takes',
    positionals: [
      { name: 'COMMAND', required: false, complete: 'command' },
      { name: 'SUBCOMMAND', required: false },
    ],
    options: { markdown: { type: 'boolean', summary: 'everything as Markdown, which is docs/cli.md' } },
    notes: [],
    examples: [{ run: 'warden help ledger query', says: 'one command in full' }],
    load: () => online('help'),
  },
];
