import { Secret } from '../kernel/secret.ts';
import { CheckedFile, type CheckedFileOptions } from './checked-file.ts';

/** A file whose content is a secret: others can neither read nor write it, and nothing prints it. */
export class CredentialFile {
  readonly #file: CheckedFile;
  #known: { readonly bytes: Buffer; readonly secret: Secret } | null = null;

  /** `shared` is for what a platform hands out readable by all in its container (a service account's token). */
  constructor({
    shared = false,
    ...options
  }: Omit<CheckedFileOptions, 'confidential'> & { readonly shared?: boolean }) {
    this.#file = new CheckedFile({ ...options, confidential: !shared });
  }

  /** The content; one object for as long as the file stays as it is. @throws the party's fault, untrusted */
  async read(): Promise<Secret> {
    const bytes = await this.#file.read();
    if (this.#known?.bytes !== bytes) this.#known = { bytes, secret: new Secret(bytes) };
    return this.#known.secret;
  }
}
