import { WardenError } from '../kernel/errors.ts';

/** Where the decision point answers, taken apart from `policy.flex_auth_url`. */
export interface Endpoint {
  /** As configured, without a slash at the end: what AuthZEN metadata must name. */
  readonly base: string;
  /** Scheme, host and port that requests carry; `http://localhost` over a Unix socket. */
  readonly origin: string;
  /** "" or `/path`, never with a slash at the end. */
  readonly basePath: string;
  readonly tls: boolean;
  /** Null for TCP. */
  readonly socketPath: string | null;
}

/** The longest path that fits sun_path; Node 20 cuts longer ones without a word. */
const LONGEST_SOCKET_PATH = 107;

const HINT =
  'write policy.flex_auth_url as http://HOST:PORT[/base], https://HOST[:PORT][/base] or unix:///PATH[:/base]';

/**
 * `http://…` and `https://…` with an optional base path, or `unix:///path/to.sock`, where a base path follows
 * a colon: `unix:///run/pdp.sock:/v2`.
 *
 * @throws WardenError config_invalid
 */
export function parseEndpoint(text: string): Endpoint {
  return text.startsWith('unix:') ? parseUnix(text) : parseTcp(text);
}

function parseUnix(text: string): Endpoint {
  const match = /^unix:\/\/(\/[^:?#\0]+)(?::(\/[^:?#\0]*))?$/.exec(text);
  if (match?.[1] === undefined) throw invalid('the unix address of the decision point names no absolute path');
  const socketPath = match[1];
  if (Buffer.byteLength(socketPath) > LONGEST_SOCKET_PATH) {
    throw invalid(`the path of the decision point's socket is longer than ${LONGEST_SOCKET_PATH} bytes`);
  }
  const basePath = (match[2] ?? '').replace(/\/+$/, '');
  return { base: `http://localhost${basePath}`, origin: 'http://localhost', basePath, tls: false, socketPath };
}

function parseTcp(text: string): Endpoint {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalid('the address of the decision point is no URL', cause);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid('the address of the decision point is neither http, https nor unix');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('the address of the decision point carries credentials: use policy.auth.bearer_file');
  }
  if (/[?#]/.test(text)) throw invalid('the address of the decision point carries a query or a fragment');
  const basePath = url.pathname.replace(/\/+$/, '');
  return {
    base: `${url.origin}${basePath}`,
    origin: url.origin,
    basePath,
    tls: url.protocol === 'https:',
    socketPath: null,
  };
}

function invalid(message: string, cause?: unknown): WardenError {
  return new WardenError('config_invalid', message, { hint: HINT, ...(cause === undefined ? {} : { cause }) });
}
