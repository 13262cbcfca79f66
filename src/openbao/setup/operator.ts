import * as z from 'zod';
import type { Secret } from '../../kernel/secret.ts';
import type { OpenBaoClient, OpenBaoRequest } from '../client.ts';
import { OpenBaoFault } from '../fault.ts';
import { apiPath } from '../path.ts';
import { type Change, compare, type Present } from './compare.ts';
import type { Wanted } from './desired.ts';

const Data = z.record(z.string(), z.unknown());
const SecretId = z.object({ secret_id: z.string().min(1) });
const RoleId = z.object({ role_id: z.string().min(1) });
const Ca = z.object({ public_key: z.string().min(1) });

/** OpenBao in an operator's name: reads what is there, and makes what is wanted. @throws OpenBaoFault from each */
export class Operator {
  readonly #client: OpenBaoClient;
  readonly #token: Secret;

  constructor(client: OpenBaoClient, token: Secret) {
    this.#client = client;
    this.#token = token;
  }

  async inspect(wanted: readonly Wanted[]): Promise<Change[]> {
    const changes: Change[] = [];
    // What stands below an engine or a login method that is not there yet is not there either.
    const missing = new Set<string>();
    for (const one of wanted) {
      const below = one.kind !== 'engine' && one.kind !== 'login' && one.kind !== 'policy';
      const present = below && missing.has(one.mount) ? null : await this.#present(one);
      if (present === null && (one.kind === 'engine' || one.kind === 'login')) missing.add(one.mount);
      changes.push(compare(one, present));
    }
    return changes;
  }

  async apply(wanted: Wanted): Promise<void> {
    switch (wanted.kind) {
      case 'engine':
        await this.#write(apiPath('sys/mounts', wanted.mount), { type: wanted.type });
        return;
      case 'ca':
        await this.#write(apiPath(wanted.mount, 'config/ca'), { generate_signing_key: true, key_type: 'ed25519' });
        return;
      case 'role':
        await this.#write(apiPath(wanted.mount, 'roles', wanted.role), wanted.fields);
        return;
      case 'policy':
        await this.#write(apiPath('sys/policies/acl', wanted.name), { policy: wanted.text });
        return;
      case 'login':
        await this.#write(apiPath('sys/auth', wanted.mount), { type: wanted.type });
        return;
      case 'approle':
        await this.#write(apiPath('auth', wanted.mount, 'role', wanted.role), wanted.fields);
    }
  }

  /** The CA's public key, one line. */
  async caKey(mount: string): Promise<string> {
    const answer = await this.#call({ method: 'GET', path: apiPath(mount, 'config/ca') });
    return read(Ca, answer.data).public_key.trim();
  }

  async roleId(mount: string, role: string): Promise<string> {
    const answer = await this.#call({ method: 'GET', path: apiPath('auth', mount, 'role', role, 'role-id') });
    return read(RoleId, answer.data).role_id;
  }

  /** A new one each time; those that were given out before stay good. */
  async newSecretId(mount: string, role: string): Promise<string> {
    const path = apiPath('auth', mount, 'role', role, 'secret-id');
    const answer = await this.#call({ method: 'POST', path, body: {} });
    return read(SecretId, answer.data).secret_id;
  }

  #present(wanted: Wanted): Promise<Present> {
    switch (wanted.kind) {
      case 'engine':
        return this.#read(apiPath('sys/mounts', wanted.mount), /^No secret engine mount at/);
      case 'ca':
        return this.#read(apiPath(wanted.mount, 'config/ca'), /no default issuer|keys have not been configured/);
      case 'role':
        return this.#read(apiPath(wanted.mount, 'roles', wanted.role));
      case 'policy':
        return this.#read(apiPath('sys/policies/acl', wanted.name));
      case 'login':
        return this.#read(apiPath('sys/auth', wanted.mount), /^No auth engine at/);
      case 'approle':
        return this.#read(apiPath('auth', wanted.mount, 'role', wanted.role));
    }
  }

  /** Null where nothing is there. Some paths say so with HTTP 400 and a sentence. */
  async #read(path: string, absent?: RegExp): Promise<Present> {
    try {
      return read(Data, (await this.#call({ method: 'GET', path })).data);
    } catch (error) {
      if (!(error instanceof OpenBaoFault)) throw error;
      if (error.kind === 'no_value' || (error.kind === 'rejected' && absent?.test(error.said) === true)) return null;
      throw error;
    }
  }

  async #write(path: string, body: NonNullable<OpenBaoRequest['body']>): Promise<void> {
    await this.#call({ method: 'POST', path, body });
  }

  #call(request: Omit<OpenBaoRequest, 'token'>) {
    return this.#client.call({ ...request, token: this.#token });
  }
}

function read<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new OpenBaoFault('answer', 'an answer of OpenBao is not what its path gives');
}
