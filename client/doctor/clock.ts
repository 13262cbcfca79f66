import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { Host } from '../../src/inventory/actor.ts';
import type { ClockFacts } from './judge-outside.ts';

const TIMEOUT_MS = 5_000;
const SSH_MS = 15_000;
const MAX_HOSTS = 100;
const AT_ONCE = 8;

export interface Glance {
  /** How far their clock is from ours, by the answer's Date header; null where there is none. */
  readonly skew: { readonly least: number; readonly most: number } | null;
  /** Of TLS: when the certificate ends, milliseconds since the epoch. */
  readonly certificateEnds: number | null;
  readonly why: string;
}

/** Asks for any answer at all: what counts is when it was given. No credential is sent. */
export function glance(url: string, path: string, caFile: string | null): Promise<Glance> {
  return new Promise((resolve) => {
    const none = (why: string): void => resolve({ skew: null, certificateEnds: null, why });
    try {
      const socketPath = url.startsWith('unix://') ? url.slice('unix://'.length) : undefined;
      const target = socketPath === undefined ? new URL(url) : new URL('http://localhost');
      const base = socketPath === undefined ? target.pathname.replace(/\/$/, '') : '';
      const secure = target.protocol === 'https:';
      const begun = Date.now();
      const request = (secure ? https : http).request(
        target,
        {
          path: `${base}${path}`,
          timeout: TIMEOUT_MS,
          agent: false,
          headers: { accept: 'application/json' },
          ...(socketPath === undefined ? {} : { socketPath }),
          ...(secure && caFile !== null ? { ca: readFileSync(caFile) } : {}),
        },
        (response) => {
          const ended = Date.now();
          const { date } = response.headers;
          const certificate = secure ? (response.socket as TLSSocket).getPeerCertificate().valid_to : undefined;
          response.destroy();
          resolve({
            skew: date === undefined ? null : skewOf(Date.parse(date), begun, ended),
            certificateEnds: certificate === undefined ? null : Date.parse(certificate),
            why: 'it answers without a Date header',
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', (error: NodeJS.ErrnoException) => none(`no answer (${error.code ?? error.message})`));
      request.end();
    } catch (error) {
      none(`no answer (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    }
  });
}

/** A time in whole seconds, `seconds` long, that was read somewhere between `begun` and `ended` of our clock. */
export function skewOf(theirs: number, begun: number, ended: number): { least: number; most: number } | null {
  return Number.isNaN(theirs) ? null : { least: theirs - ended, most: theirs + 999 - begun };
}

/** The clocks of the inventory's hosts, over ssh as the user has it set up: nothing is asked for, no key is taken over. */
export async function clocksOfHosts(hosts: readonly Host[]): Promise<ClockFacts[]> {
  const found: ClockFacts[] = [];
  const waiting = hosts.slice(0, MAX_HOSTS);
  const work = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) found.push(await clockOfHost(host));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

async function clockOfHost({ name, addresses }: Host): Promise<ClockFacts> {
  const facts = { id: `clock.host.${name}`, name };
  const options = [
    '-o',
    'BatchMode=yes',
    '-o',
    'ConnectTimeout=5',
    '-o',
    'ForwardAgent=no',
    '-o',
    `HostKeyAlias=${name}`,
  ];
  const begun = Date.now();
  try {
    const asked = await promisify(execFile)('ssh', [...options, '--', addresses[0] ?? name, 'date', '+%s'], {
      timeout: SSH_MS,
      maxBuffer: 4096,
    });
    const seconds = /^(\d{9,11})\s*$/.exec(asked.stdout)?.[1];
    if (seconds === undefined) return { ...facts, skew: null, why: 'its answer is no time' };
    return { ...facts, skew: skewOf(Number(seconds) * 1000, begun, Date.now()), why: '' };
  } catch (error) {
    const { code } = error as { code?: unknown };
    const why = code === 'ENOENT' ? 'there is no ssh here' : 'ssh did not get in without a question';
    return { ...facts, skew: null, why };
  }
}
