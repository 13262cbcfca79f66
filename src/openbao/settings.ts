/** `openbao:` of warden.yaml, paths absolute; what of it this capability reads. */
export interface OpenBaoAddress {
  /** `http://…`, `https://…` or `unix:///path`. */
  readonly address: string;
  readonly ca_file: string | null;
  readonly namespace: string | null;
}

export type LoginSettings =
  | { readonly method: 'token_file'; readonly token_file: string }
  | {
      readonly method: 'approle';
      readonly mount: string;
      readonly role_id_file: string;
      readonly secret_id_file: string;
    }
  | {
      readonly method: 'jwt' | 'kubernetes';
      readonly mount: string;
      readonly role: string;
      readonly jwt_file: string;
    }
  | {
      readonly method: 'cert';
      readonly mount: string;
      readonly role: string | null;
      readonly cert_file: string;
      readonly key_file: string;
    };

export type LoginMethod = LoginSettings['method'];
