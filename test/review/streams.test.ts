import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { QueryLedgerRequest } from '../../src/rpc/generated/warden/v1/warden.ts';
import { Client } from '../e2e/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon | undefined;
let heir: ChildProcess | undefined;

afterEach(async () => {
  heir?.stdout?.destroy();
  await daemon?.stop('SIGKILL');
  daemon?.house.remove();
});

/** Follows the ledger; with the first record it leaves its connection to `cat`, and is gone. */
const BEQUEATH = `
const [, path, body] = process.argv;
const socket = require('node:net').connect(path);
const session = require('node:http2').connect('http://localhost', { createConnection: () => socket });
const stream = session.request({
  ':method': 'POST', ':path': '/warden.v1.Warden/QueryLedger', 'content-type': 'application/grpc', te: 'trailers',
});
stream.end(Buffer.from(body, 'base64'));
stream.once('data', () => {
  socket.pause();
  require('node:child_process').spawn('cat', { stdio: [socket, 'inherit', 'ignore'] }).once('spawn', () => {
    process.stdout.write('bequeathed');
    process.kill(process.pid, 'SIGKILL');
  });
});
`;

describe('a stream whose caller is gone', () => {
  it('ends with the next record, which whoever has the connection does not get', async () => {
    daemon = await startDaemon();
    const query = QueryLedgerRequest.encode(QueryLedgerRequest.fromPartial({ limit: 1, follow: true })).finish();
    const head = Buffer.alloc(5);
    head.writeUInt32BE(query.length, 1);
    const body = Buffer.concat([head, query]).toString('base64');
    const child = spawn(process.execPath, ['-e', BEQUEATH, daemon.socket, body], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    heir = child;
    const heard: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => heard.push(chunk));
    await once(child, 'exit');

    const client = await Client.open(daemon.socket);
    const { evidence } = await client.sign();
    const end = await daemon.waitForLog(({ method }) => method === 'QueryLedger');
    expect(end).toMatchObject({ msg: 'request refused', reason: 'caller_gone' });
    client.close();
    await daemon.stop();
    const text = Buffer.concat(heard).toString('latin1');
    expect(text).toContain('bequeathed');
    expect(text).not.toContain(evidence?.requestId ?? 'no evidence');
  });
});
