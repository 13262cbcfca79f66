import type { DoubleData, DoubleProcess } from './program.ts';

/**
 * The double of the `bao` command: `kv get`, `read`, `token lookup`, `print token` and `version`, with the flags,
 * output, messages and exit codes of OpenBao 2.7 (held against the real one by a test). It opens no connection and
 * shows no token of anybody's. The whole program is this function: it is written out as text and must name nothing
 * outside of itself.
 */
export function baoProgram({ argv, env, out, err }: DoubleProcess, { seed, hmac, now, secrets }: DoubleData): number {
  type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
  type Table = readonly (readonly [string, string])[];

  const opaque = (text: string): string => `synthetic-${hmac(seed, text).slice(0, 24)}`;
  const uuid = (text: string): string =>
    hmac(seed, text)
      .slice(0, 32)
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const created = new Date(now).toISOString().replace(/Z$/, '000000Z');

  const fail = (text: string, code: number): number => {
    err(`${text}\n`);
    return code;
  };
  const columns = (rows: Table): string => {
    const width = Math.max(...rows.map(([key]) => key.length), 3) + 4;
    return rows.map(([key, value]) => `${key.padEnd(width)}${value}\n`).join('');
  };
  const table = (rows: Table): string => columns([['Key', 'Value'], ['---', '-----'], ...rows]);
  /** As Go prints a value with %v. */
  const go = (value: Json): string => {
    if (value === null) return '<nil>';
    if (Array.isArray(value)) return `[${value.map(go).join(' ')}]`;
    if (typeof value !== 'object') return String(value);
    const parts = Object.keys(value).sort();
    return `map[${parts.map((key) => `${key}:${go((value as Record<string, Json>)[key] ?? null)}`).join(' ')}]`;
  };
  const envelope = (
    data: Json,
    more: { lease_id?: string; lease_duration?: number; renewable?: boolean } = {},
  ): Json => ({
    request_id: uuid(`request ${process.pid} ${now}`),
    lease_id: more.lease_id ?? '',
    lease_duration: more.lease_duration ?? 0,
    renewable: more.renewable ?? false,
    data,
    warnings: null,
  });
  const json = (value: Json): string => JSON.stringify(value, null, 2);

  const STRINGS = [
    'address',
    'agent-address',
    'ca-cert',
    'ca-path',
    'client-cert',
    'client-key',
    'namespace',
    'ns',
    'tls-server-name',
    'wrap-ttl',
    'header',
  ];
  const BOOLEANS = ['tls-skip-verify', 'non-interactive', 'policy-override'];
  /** The flags before the first positional, as Go reads them; a number is the exit code of a mistake. */
  const readFlags = (
    words: readonly string[],
    own: readonly string[],
  ): { flags: Map<string, string>; rest: readonly string[] } | number => {
    const flags = new Map<string, string>();
    let at = 0;
    let fault: string | null = null;
    for (; at < words.length; at += 1) {
      const word = words[at] ?? '';
      if (word === '--') {
        at += 1;
        break;
      }
      const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word);
      if (match === null) break;
      const [, name = '', inline] = match;
      if (BOOLEANS.includes(name)) flags.set(name, inline ?? 'true');
      else if (STRINGS.includes(name) || own.includes(name)) {
        const value = inline ?? words[at + 1];
        if (value === undefined) return fail(`flag needs an argument: -${name}`, 1);
        if (inline === undefined) at += 1;
        flags.set(name, value);
      } else {
        fault = name;
        at += 1;
        break;
      }
    }
    const rest = words.slice(at);
    const late = rest.filter((word) => /^-/.test(word) && !/^--?format(?:=|$)/.test(word));
    if (late.length > 0) {
      err(
        `Command flags must be provided before positional arguments. The following arguments will not be parsed as flags: [${late.join(' ')}]\n`,
      );
    }
    if (fault !== null) return fail(`flag provided but not defined: -${fault}`, 1);
    return { flags, rest };
  };
  const formatOf = (flags: ReadonlyMap<string, string>): string | number => {
    const format = (flags.get('format') || env.BAO_FORMAT || env.VAULT_FORMAT || 'table').toLowerCase();
    if (format === 'table' || format === 'json') return format;
    if (format === 'yaml' || format === 'yml' || format === 'raw' || format === 'pretty') {
      return fail(`the synthetic double of bao does not print ${format}`, 1);
    }
    return fail(`Invalid output format: ${format}`, 1);
  };
  const oneArgument = (rest: readonly string[]): number | null => {
    if (rest.length < 1) return fail('Not enough arguments (expected 1, got 0)', 1);
    if (rest.length > 1) return fail(`Too many arguments (expected 1, got ${rest.length})`, 1);
    return null;
  };
  /** A field on stdout: no newline after it, JSON where that is the format. */
  const printField = (value: Json, format: string): number => {
    out(format === 'json' ? JSON.stringify(value) : go(value));
    return 0;
  };
  /** The fields at a path; null: nothing is there. */
  const fieldsAt = (path: string, asked: string | undefined): readonly string[] | null => {
    if (secrets !== null) return Object.hasOwn(secrets, path) ? (secrets[path] ?? null) : null;
    return asked === undefined ? ['value'] : [...new Set(['value', asked])];
  };
  const valuesAt = (path: string, fields: readonly string[]): Record<string, Json> =>
    Object.fromEntries([...fields].sort().map((field) => [field, opaque(`${path}\n${field}`)]));
  const METADATA = { created_time: created, custom_metadata: null, deletion_time: '', destroyed: false, version: 1 };

  const kvGet = (words: readonly string[]): number => {
    const read = readFlags(words, ['mount', 'field', 'format', 'version']);
    if (typeof read === 'number') return read;
    const { flags, rest } = read;
    const format = formatOf(flags);
    if (typeof format === 'number') return format;
    const wrong = oneArgument(rest);
    if (wrong !== null) return wrong;
    const trim = (text: string): string => text.replace(/^\/+|\/+$/g, '');
    const mount = trim(flags.get('mount') ?? '');
    const whole = trim(rest[0] ?? '');
    const [first = '', ...more] = whole.split('/');
    const path = mount === '' ? `${first}/data/${more.join('/')}` : `${mount}/data/${whole}`;
    const field = flags.get('field');
    const fields = fieldsAt(path, field);
    const version = flags.get('version') ?? '0';
    if (fields === null || !['0', '1'].includes(version)) return fail(`No value found at ${path}`, 2);
    const values = valuesAt(path, fields);
    if (field !== undefined && field !== '') {
      const value = values[field];
      return value === undefined ? fail(`Field "${field}" not present in map`, 1) : printField(value, format);
    }
    if (format === 'json') out(`${json(envelope({ data: values, metadata: METADATA }))}\n`);
    else {
      /** At least two signs on either side, and the same on both. */
      const head = (title: string, width: number): string => {
        const room = width - title.length - 2;
        const signs = '='.repeat(Math.ceil((room <= 0 ? 4 : room) / 2));
        return `${signs} ${title} ${signs}`;
      };
      const dataWidth = Math.max(...Object.keys(values).map((key) => key.length), 0) + 9;
      const metadata = table([
        ['created_time', created],
        ['custom_metadata', '<nil>'],
        ['deletion_time', 'n/a'],
        ['destroyed', 'false'],
        ['version', '1'],
      ]);
      const data = table(Object.entries(values).map(([key, value]) => [key, go(value)]));
      out(
        `${head('Secret Path', path.length)}\n${path}\n\n${head('Metadata', 24)}\n${metadata}\n${head('Data', dataWidth)}\n${data}`,
      );
    }
    return 0;
  };

  const read = (words: readonly string[]): number => {
    const parsed = readFlags(words, ['field', 'format']);
    if (typeof parsed === 'number') return parsed;
    const { flags, rest } = parsed;
    const format = formatOf(flags);
    if (typeof format === 'number') return format;
    if (rest.length < 1) return fail('Not enough arguments (expected 1, got 0)', 1);
    const pair = rest.slice(1).find((word) => !word.includes('='));
    if (pair !== undefined) {
      return fail(`Failed to parse K=V data: invalid key/value pair "${pair}": format must be key=value`, 1);
    }
    const path = (rest[0] ?? '').replace(/^\/+|\/+$/g, '');
    const field = flags.get('field');
    const kv = path.split('/')[1] === 'data';
    const fields = fieldsAt(path, kv ? undefined : field);
    if (fields === null) return fail(`No value found at ${path}`, 2);
    const values = valuesAt(path, fields);
    const data: Record<string, Json> = kv ? { data: values, metadata: METADATA } : values;
    const lease = {
      lease_id: kv ? '' : `${path}/${opaque(`${path}\nlease`)}`,
      lease_duration: kv ? 0 : 3600,
      renewable: !kv,
    };
    if (field !== undefined && field !== '') {
      const known: Record<string, Json> = { ...data, ...lease };
      const value = known[field];
      return value === undefined || value === null
        ? fail(`Field "${field}" not present in secret`, 1)
        : printField(value, format);
    }
    if (format === 'json') out(`${json(envelope(data, lease))}\n`);
    else {
      const leaseRows: Table = kv
        ? []
        : [
            ['lease_id', lease.lease_id],
            ['lease_duration', '1h'],
            ['lease_renewable', 'true'],
          ];
      out(table([...leaseRows, ...Object.entries(data).map(([key, value]): [string, string] => [key, go(value)])]));
    }
    return 0;
  };

  const tokenLookup = (words: readonly string[]): number => {
    const parsed = readFlags(words, ['field', 'format']);
    if (typeof parsed === 'number') return parsed;
    const { flags, rest } = parsed;
    const format = formatOf(flags);
    if (typeof format === 'number') return format;
    if (rest.length > 1) return fail(`Too many arguments (expected 0-1, got ${rest.length})`, 1);
    const data: Record<string, Json> = {
      accessor: opaque('token\naccessor'),
      creation_time: Math.floor(now / 1000),
      creation_ttl: 0,
      display_name: 'token',
      entity_id: '',
      expire_time: null,
      explicit_max_ttl: 0,
      id: opaque('token\nid'),
      issue_time: created,
      meta: null,
      num_uses: 0,
      orphan: true,
      path: 'auth/token/create',
      policies: ['synthetic-policy'],
      renewable: false,
      ttl: 0,
      type: 'service',
    };
    const field = flags.get('field');
    if (field !== undefined && field !== '') {
      const value = data[field];
      return value === undefined || value === null
        ? fail(`Field "${field}" not present in secret`, 1)
        : printField(value, format);
    }
    if (format === 'json') out(`${json(envelope(data))}\n`);
    else {
      const shown = (key: string, value: Json): string =>
        /ttl$/.test(key) ? `${String(value)}s` : value === '' ? 'n/a' : go(value);
      out(table(Object.entries(data).map(([key, value]): [string, string] => [key, shown(key, value)])));
    }
    return 0;
  };

  const [first, second] = argv;
  if (first === 'kv' && second === 'get') return kvGet(argv.slice(2));
  if (first === 'read') return read(argv.slice(1));
  if (first === 'token' && second === 'lookup') return tokenLookup(argv.slice(2));
  if (first === 'print' && second === 'token') {
    out(`${opaque('token\nid')}\n`);
    return 0;
  }
  if (first === 'version' || first === '--version' || first === '-version' || first === '-v') {
    out('OpenBao v2.7.2 (synthetic-double), committed 2026-10-26T20:32:27Z\n');
    return 0;
  }
  const group = ['kv', 'token', 'print'].includes(first ?? '');
  if (
    !group &&
    ![
      'write',
      'delete',
      'list',
      'login',
      'status',
      'unwrap',
      'lease',
      'secrets',
      'auth',
      'policy',
      'operator',
      'ssh',
    ].includes(first ?? '')
  ) {
    err(
      'Usage: bao <command> [args]\n\nThis is a synthetic double: it does kv get, read, token lookup, print token and version.\n',
    );
    return 127;
  }
  if (group && (second === undefined || second.startsWith('-')))
    return fail(`Usage: bao ${first} <subcommand> [options] [args]`, 1);
  return fail(`the synthetic double of bao does not do ${JSON.stringify(argv.slice(0, 2).join(' '))}`, 1);
}
