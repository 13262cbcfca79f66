import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Capability folders from the ground up: each imports only what stands before it. */
const ORDER = [
  'kernel',
  'ssh',
  'http',
  'callers',
  'unix',
  'inventory',
  'posture',
  'openbao',
  'policy',
  'signing',
  'access',
  'ledger',
  'revocation',
  'config',
  'registry',
  'delegation',
  'credentials',
  'doubles',
  'operations',
  'rpc',
];

/** What the client's commands that work without a daemon need; the rest reaches the daemon through rpc. */
const CLIENT_MAY_IMPORT = [
  'kernel',
  'ssh',
  'unix',
  'inventory',
  'posture',
  'openbao',
  'signing',
  'ledger',
  'config',
  'registry',
  'doubles',
  'rpc',
  'policy',
];

/** Where `Secret.reveal()` may be called. */
const MAY_REVEAL: readonly string[] = [
  // Writes the value to systemd, which has no protocol to put it into.
  'daemon/credentials.ts',
  // Into the environment, files and descriptors of a command.
  'daemon/runner/values.ts',
  // What is looked for in output.
  'src/access/masking/patterns.ts',
  'src/access/openbao-store.ts',
  'src/access/process-tool.ts',
  'src/access/walk.ts',
  'src/http/pem.ts',
  // For a keyed digest, so that no table holds the token itself.
  'src/openbao/accessors.ts',
  'src/openbao/encode.ts',
  'src/policy/bearer.ts',
  'src/rpc/encode.ts',
];

/** Boundaries where bytes from outside become values: zod belongs here and nowhere else. */
const MAY_VALIDATE =
  /^(client\/mcp\/|src\/access\/openbao-store\.ts|src\/config\/|src\/rpc\/messages\.ts|src\/openbao\/|src\/signing\/openbao-authority\.ts|src\/policy\/|src\/posture\/promotion-record\.ts|src\/registry\/|src\/doubles\/)/;

/** Decisions: values in, values out. */
const PURE = [
  /^src\/kernel\/(errors|traceparent|reason|duration|posture|paths|secret)\.ts$/,
  /^src\/ssh\/(?!agent-client)/,
  /^src\/callers\//,
  /^src\/inventory\//,
  /^src\/posture\//,
  /^src\/signing\/(plan|finish-plan|plan-host|key-id|posture-rule|check-issued|certificate-fields|serial)\.ts$/,
  /^src\/policy\/(denial|fault-rule|question|question-key|subject|decision|parse-answer)\.ts$/,
  /^src\/config\/(diff|snapshot|nearest|problems|parse)\.ts$/,
  /^src\/access\/masking\//,
  /^src\/access\/(confinement|route|route-question|tool-output|owner-refusal|walk)\.ts$/,
  /^src\/operations\//,
  /^src\/revocation\/(?!file-restraints)/,
];
const IMPURE =
  /from 'node:(fs|net|http|https|http2|child_process|os|worker_threads|dgram)(\/promises)?'|process\.env\b|Date\.now\(|Math\.random\(/;

/** Operations that write a record without releasing anything: they may do so under a lockdown. */
const RELEASES_NOTHING: readonly string[] = ['src/operations/break-glass.ts', 'src/operations/exec-record.ts'];

interface File {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function filesOf(folder: string): File[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .filter((path) => !path.includes('/generated/'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '');
      return { path, text, imports: specifiers.map((s) => normalize(join(dirname(path), s))) };
    });
}

const src = filesOf('src');
const daemon = filesOf('daemon');
const client = filesOf('client');
const all = [...src, ...daemon, ...client];
const capability = (path: string): string => path.split('/')[1] ?? '';

describe('architecture', () => {
  it('reads a house that is there', () => {
    expect(src.length).toBeGreaterThan(50);
    expect(daemon.length).toBeGreaterThan(5);
    expect(client.length).toBeGreaterThan(5);
  });

  it('every capability folder has its place in the order', () => {
    const folders = [...new Set(src.map((file) => capability(file.path)))];
    expect(folders.filter((folder) => !ORDER.includes(folder))).toEqual([]);
  });

  it('a capability imports only what stands before it', () => {
    const wrong = src.flatMap((file) =>
      file.imports
        .filter((target) => {
          if (!target.startsWith('src/')) return true;
          return ORDER.indexOf(capability(target)) > ORDER.indexOf(capability(file.path));
        })
        .map((target) => `${file.path} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('the ground floor imports nothing above it', () => {
    const wrong = src
      .filter((file) => ['kernel', 'ssh'].includes(capability(file.path)))
      .flatMap((file) =>
        file.imports.filter((target) => !/^src\/(kernel|ssh)\//.test(target)).map((t) => `${file.path} -> ${t}`),
      );
    expect(wrong).toEqual([]);
  });

  it('no file imports itself round a loop', () => {
    const graph = new Map(all.map((file) => [file.path, file.imports]));
    const done = new Set<string>();
    const loops: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) {
        loops.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
        return;
      }
      if (done.has(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    expect(loops).toEqual([]);
  });

  it('no file only hands names on', () => {
    const barrels = all.filter((file) => {
      const lines = file.text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(\/\/|\*|\/\*)/.test(line));
      return lines.length > 0 && lines.every((line) => /^export (type )?(\*|\{.*\}) from /.test(line));
    });
    expect(barrels.map((file) => file.path)).toEqual([]);
  });

  it('the client never reaches into the daemon, nor the daemon into the client', () => {
    const wrong = [
      ...client.flatMap((file) =>
        file.imports.filter((t) => t.startsWith('daemon/')).map((t) => `${file.path} -> ${t}`),
      ),
      ...daemon.flatMap((file) =>
        file.imports.filter((t) => t.startsWith('client/')).map((t) => `${file.path} -> ${t}`),
      ),
    ];
    expect(wrong).toEqual([]);
  });

  it('the client imports rpc and what its offline commands need', () => {
    const wrong = client.flatMap((file) =>
      file.imports
        .filter((target) => target.startsWith('src/') && !CLIENT_MAY_IMPORT.includes(capability(target)))
        .map((target) => `${file.path} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('only listed adapters reveal a secret', () => {
    const revealing = all.filter((file) => /\.reveal\(/.test(file.text)).map((file) => file.path);
    expect(revealing.filter((path) => !MAY_REVEAL.includes(path) && path !== 'src/kernel/secret.ts')).toEqual([]);
  });

  it('zod stands at trust boundaries only', () => {
    const validating = all.filter((file) => /from 'zod'/.test(file.text)).map((file) => file.path);
    expect(validating.filter((path) => !MAY_VALIDATE.test(path))).toEqual([]);
  });

  it('whatever an operation releases passes the one door, and no other way to the ledger is open', () => {
    const operations = src.filter((file) => file.path.startsWith('src/operations/'));
    const writing = operations.filter((file) => /\bledger\.append\(|\{[^}]*\bappend\b[^}]*\} = /.test(file.text));
    expect(writing.map((file) => file.path)).toEqual(['src/operations/trail.ts']);
    const opening = operations.filter((file) => /\.record\(/.test(file.text)).map((file) => file.path);
    expect(opening.filter((path) => !RELEASES_NOTHING.includes(path))).toEqual([]);
  });

  it('decisions reach for no file, socket, clock or environment', () => {
    const wrong = src
      .filter((file) => PURE.some((pattern) => pattern.test(file.path)))
      .filter((file) => IMPURE.test(file.text))
      .map((file) => file.path);
    expect(wrong).toEqual([]);
  });
});
