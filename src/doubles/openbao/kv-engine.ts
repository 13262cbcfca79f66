import type { Clock } from '../../kernel/clock.ts';
import {
  type DoubleRequest,
  envelope,
  failed,
  NO_CONTENT,
  NOTHING,
  type Reply,
  UNSUPPORTED_OPERATION,
  UNSUPPORTED_PATH,
} from './reply.ts';

interface Version {
  readonly data: unknown;
  readonly createdAt: number;
  deletedAt: number | null;
}

/** KV version 2: values by path and version. */
export class KvEngine {
  readonly #paths = new Map<string, Version[]>();
  readonly #clock: Pick<Clock, 'now'>;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** A value as an operator would have put it there. */
  put(path: string, data: unknown): number {
    const versions = this.#paths.get(path) ?? [];
    this.#paths.set(path, versions);
    return versions.push({ data, createdAt: this.#clock.now(), deletedAt: null });
  }

  handle({ method, body }: DoubleRequest, path: string): Reply {
    const [head = '', ...rest] = path.split('/');
    const name = rest.join('/');
    if (head === 'metadata' && method === 'LIST') return this.#list(name);
    if (name === '') return UNSUPPORTED_PATH;
    if (head === 'metadata') return this.#metadata(method, name);
    if (head !== 'data') return UNSUPPORTED_PATH;
    if (method === 'POST') {
      if (typeof body.data !== 'object' || body.data === null) return failed(400, 'no data provided');
      this.put(name, body.data);
      return envelope(this.#describe(name));
    }
    const newest = this.#paths.get(name)?.at(-1);
    if (method === 'DELETE') {
      if (newest !== undefined) newest.deletedAt ??= this.#clock.now();
      return NO_CONTENT;
    }
    if (method !== 'GET') return UNSUPPORTED_OPERATION;
    if (newest === undefined) return NOTHING;
    const gone = newest.deletedAt !== null;
    const answer = envelope({ data: gone ? null : newest.data, metadata: this.#describe(name) });
    return gone ? { ...answer, status: 404 } : answer;
  }

  #metadata(method: DoubleRequest['method'], name: string): Reply {
    if (method === 'DELETE') {
      this.#paths.delete(name);
      return NO_CONTENT;
    }
    const versions = this.#paths.get(name);
    if (versions === undefined) return NOTHING;
    const iso = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString());
    return envelope({
      cas_required: false,
      created_time: iso(versions[0]?.createdAt ?? null),
      current_metadata_version: 0,
      current_version: versions.length,
      custom_metadata: null,
      delete_version_after: '0s',
      max_versions: 0,
      metadata_cas_required: false,
      oldest_version: 0,
      updated_time: iso(versions.at(-1)?.createdAt ?? null),
      versions: Object.fromEntries(
        versions.map(({ createdAt, deletedAt }, index) => [
          String(index + 1),
          { created_time: iso(createdAt), deletion_time: iso(deletedAt), destroyed: false },
        ]),
      ),
    });
  }

  #list(prefix: string): Reply {
    const from = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    const keys = new Set<string>();
    for (const path of this.#paths.keys()) {
      if (!path.startsWith(from)) continue;
      const [first = '', ...more] = path.slice(from.length).split('/');
      keys.add(more.length === 0 ? first : `${first}/`);
    }
    return keys.size === 0 ? NOTHING : envelope({ keys: [...keys].sort() });
  }

  #describe(name: string): unknown {
    const versions = this.#paths.get(name) ?? [];
    const newest = versions.at(-1);
    return {
      created_time: new Date(newest?.createdAt ?? 0).toISOString(),
      custom_metadata: null,
      deletion_time: newest?.deletedAt == null ? '' : new Date(newest.deletedAt).toISOString(),
      destroyed: false,
      version: versions.length,
    };
  }
}
