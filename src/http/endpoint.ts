import { WardenError } from '../kernel/errors.ts';

/** Where an outside system answers, taken apart from a setting. */
export interface Endpoint {
  /** As configured, without a slash at the end. */
  readonly base: string;
  /** Scheme, host and port that requests carry; `http://localhost` over a Unix socket. */
  readonly origin: string;
  /** "" or `/path`, never with a slash at the end. */
  readonly basePath: string;
  readonly tls: boolean;
  /** Null for TCP. */
  readonly socketPath: string | null;
}

/** How messages speak of the address. */
export interface EndpointWords {
  /** Fits into a sentence: `the decision point`. */
  readonly name: string;
  /** For the hint: `policy.flex_auth_url`. */
  readonly setting: string;
  /** Where credentials belong instead of into the address. */
  readonly credentials: string;
}

/** The longest path that fits sun_path; Node 20 cuts longer ones without a word. */
const LONGEST_SOCKET_PATH = 107;

/**
 * `http://…` and `https://…` with an optional base path, or `unix:///path/to.sock`, where a base path follows
 * a colon: `unix:///run/pdp.sock:/v2`.
 *
 * @throws WardenError config_invalid
 */
export function parseAddress(text: string, words: EndpointWords): Endpoint {
  return text.startsWith('unix:') ? parseUnix(text, words) : parseTcp(text, words);
}

function parseUnix(text: string, words: EndpointWords): Endpoint {
  const match = /^unix:\/\/(\/[^:?#\0]+)(?::(\/[^:?#\0]*))?$/.exec(text);
  if (match?.[1] === undefined) throw invalid(words, `the unix address of ${words.name} names no absolute path`);
  const socketPath = match[1];
  if (Buffer.byteLength(socketPath) > LONGEST_SOCKET_PATH) {
    throw invalid(words, `the path of ${words.name}'s socket is longer than ${LONGEST_SOCKET_PATH} bytes`);
  }
  const basePath = (match[2] ?? '').replace(/\/+$/, '');
  return { base: `http://localhost${basePath}`, origin: 'http://localhost', basePath, tls: false, socketPath };
}

function parseTcp(text: string, words: EndpointWords): Endpoint {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalid(words, `the address of ${words.name} is no URL`, cause);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(words, `the address of ${words.name} is neither http, https nor unix`);
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(words, `the address of ${words.name} carries credentials: use ${words.credentials}`);
  }
  if (/[?#]/.test(text)) throw invalid(words, `the address of ${words.name} carries a query or a fragment`);
  const basePath = url.pathname.replace(/\/+$/, '');
  return {
    base: `${url.origin}${basePath}`,
    origin: url.origin,
    basePath,
    tls: url.protocol === 'https:',
    socketPath: null,
  };
}

function invalid({ setting }: EndpointWords, message: string, cause?: unknown): WardenError {
  const hint = `write ${setting} as http://HOST:PORT[/base], https://HOST[:PORT][/base] or unix:///PATH[:/base]`;
  return new WardenError('config_invalid', message, { hint, ...(cause === undefined ? {} : { cause }) });
}
