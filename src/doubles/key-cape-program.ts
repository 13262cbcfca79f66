import type { DoubleData, DoubleProcess } from './program.ts';

/**
 * The double of `key-cape`: `login [--json]`, exit codes 0 done, 1 refused, 2 usage. Its ID token is a JWT that any
 * parser reads and nobody's key signed; that it is synthetic stands in `iss` and `sub`. The whole program is this
 * function: it is written out as text and must name nothing outside of itself.
 */
export function keyCapeProgram({ argv, out, err }: DoubleProcess, { seed, hmac, now }: DoubleData): number {
  const usage = 'usage: key-cape login [--json]\n';
  const [command, ...flags] = argv;
  if (command !== 'login') {
    err(command === undefined ? usage : `key-cape: unknown command ${JSON.stringify(command)}\n${usage}`);
    return 2;
  }
  const unknown = flags.find((flag) => flag !== '--json');
  if (unknown !== undefined) {
    err(`key-cape: unknown option ${JSON.stringify(unknown)}\n${usage}`);
    return 2;
  }
  const issued = Math.floor(now / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'https://synthetic-key-cape.invalid',
    sub: 'synthetic-subject',
    aud: 'synthetic-audience',
    iat: issued,
    exp: issued + 3600,
    jti: `synthetic-${hmac(seed, 'key-cape\njti').slice(0, 24)}`,
  };
  const signed = `${part({ alg: 'HS256', typ: 'JWT', kid: 'synthetic-key' })}.${part(claims)}`;
  const signature = Buffer.from(hmac(seed, signed), 'hex').toString('base64url');
  const token = `${signed}.${signature}`;
  const expires = new Date(claims.exp * 1000).toISOString().replace(/\.\d{3}Z$/, 'Z');
  if (flags.length > 0) out(`${JSON.stringify({ id_token: token, expires_at: expires })}\n`);
  else out(`logged in as ${claims.sub} until ${expires}\n`);
  return 0;
}
