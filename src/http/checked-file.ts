import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { HttpFault, type Party } from './party.ts';

export interface CheckedFileOptions {
  /** Whose the fault is when the file is no good. */
  readonly party: Party;
  /** Absolute. */
  readonly path: string;
  /** For messages: `policy.auth.bearer_file`, say. */
  readonly setting: string;
  readonly maxBytes: number;
  /** True: nothing for others, no writing for the group, owned by root or by us. */
  readonly confidential: boolean;
}

/**
 * A file that is read when it is used, and again only after it changed, so that a rotated token or certificate
 * is taken up without a reload. Every failure is `untrusted`: a daemon that cannot prove who it is, or
 * check who answers, must not go on for that.
 */
export class CheckedFile {
  readonly #options: CheckedFileOptions;
  #seen: { readonly version: string; readonly content: Buffer } | null = null;

  constructor(options: CheckedFileOptions) {
    this.#options = options;
  }

  /** The content; one buffer, not a copy, for as long as the file stays as it is. @throws the party's fault, untrusted */
  async read(): Promise<Buffer> {
    try {
      const { path } = this.#options;
      const now = versionOf(await stat(path, { bigint: true }));
      if (this.#seen?.version === now) return this.#seen.content;
      // O_NONBLOCK: a named pipe must not hold a thread of the pool.
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        this.#seen = await this.#load(handle);
      } finally {
        await handle.close();
      }
      return this.#seen.content;
    } catch (cause) {
      if (cause instanceof HttpFault) throw cause;
      throw this.#fault(`cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    }
  }

  async #load(handle: FileHandle): Promise<{ version: string; content: Buffer }> {
    const { maxBytes, confidential } = this.#options;
    const file = await handle.stat({ bigint: true });
    if (!file.isFile()) throw this.#fault('is no regular file');
    const uid = process.getuid?.();
    if (file.uid !== 0n && file.uid !== BigInt(uid ?? 0)) throw this.#fault('belongs to another user');
    if ((file.mode & 0o022n) !== 0n) throw this.#fault('can be written by others');
    if (confidential && (file.mode & 0o007n) !== 0n) throw this.#fault('can be read by others');
    if (file.size > BigInt(maxBytes)) throw this.#fault('is too large');
    const buffer = Buffer.alloc(maxBytes + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    const content = Buffer.from(buffer.subarray(0, bytesRead));
    buffer.fill(0);
    if (bytesRead === 0) throw this.#fault('is empty');
    if (bytesRead > maxBytes) throw this.#fault('is too large');
    return { version: versionOf(file), content };
  }

  #fault(what: string): HttpFault {
    return this.#options.party.fault('untrusted', `${this.#options.setting} ${what}`);
  }
}

interface FileVersion {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

function versionOf(file: FileVersion): string {
  return `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}:${file.ctimeNs}`;
}
