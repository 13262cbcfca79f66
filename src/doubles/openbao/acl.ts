export interface Rule {
  readonly path: string;
  readonly capabilities: readonly string[];
}

/** The default policy, as far as the double has the paths. */
const DEFAULT: readonly Rule[] = [
  { path: 'auth/token/lookup-self', capabilities: ['read'] },
  { path: 'auth/token/renew-self', capabilities: ['update'] },
  { path: 'auth/token/revoke-self', capabilities: ['update'] },
  { path: 'sys/capabilities-self', capabilities: ['update'] },
  { path: 'sys/wrapping/unwrap', capabilities: ['update'] },
  { path: 'cubbyhole/*', capabilities: ['create', 'read', 'update', 'delete', 'list'] },
];

/** The `path "…" { capabilities = […] }` blocks of a policy in HCL; comments are left out. Null where there is none. */
export function parsePolicy(hcl: string): Rule[] | null {
  const plain = hcl.replace(/^\s*(#|\/\/).*$/gm, '');
  const blocks = [...plain.matchAll(/path\s+"([^"]+)"\s*\{([^}]*)\}/g)];
  const rules = blocks.map(([, path = '', inner = '']) => ({
    path,
    capabilities: [...(/capabilities\s*=\s*\[([^\]]*)\]/.exec(inner)?.[1] ?? '').matchAll(/"([^"]+)"/g)].map(
      ([, name = '']) => name,
    ),
  }));
  return rules.length === 0 ? null : rules;
}

/** What policies permit at a path: of the rules that fit, the most exact one of each policy counts. */
export function capabilitiesOf(
  path: string,
  names: readonly string[],
  policies: ReadonlyMap<string, readonly Rule[]>,
): readonly string[] {
  if (names.includes('root')) return ['root'];
  const rules = names.flatMap((name) => (name === 'default' ? DEFAULT : (policies.get(name) ?? [])));
  const fitting = rules.filter((rule) => fits(rule.path, path));
  const longest = Math.max(0, ...fitting.map((rule) => weight(rule.path)));
  const granted = fitting.filter((rule) => weight(rule.path) === longest).flatMap((rule) => rule.capabilities);
  if (granted.length === 0 || granted.includes('deny')) return ['deny'];
  return [...new Set(granted)].sort();
}

function fits(pattern: string, path: string): boolean {
  const glob = pattern.endsWith('*');
  const body = (glob ? pattern.slice(0, -1) : pattern)
    .split('+')
    .map((part) => part.replace(/[.*?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]+');
  return new RegExp(`^${body}${glob ? '' : '$'}`).test(path);
}

function weight(pattern: string): number {
  return pattern.length * 2 + (/[*+]/.test(pattern) ? 0 : 1);
}

/** May a request of this method be made? Creating and updating are one where nobody can tell them apart. */
export function permits(method: 'GET' | 'POST' | 'DELETE' | 'LIST', granted: readonly string[]): boolean {
  if (granted.includes('root')) return true;
  switch (method) {
    case 'GET':
      return granted.includes('read');
    case 'POST':
      return granted.includes('update') || granted.includes('create');
    case 'DELETE':
      return granted.includes('delete');
    case 'LIST':
      return granted.includes('list');
  }
}
