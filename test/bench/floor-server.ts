import { constants, openSync, write } from 'node:fs';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { Client } from 'undici';
import { type GeneratedService, toServiceDefinition } from '../../src/rpc/definition.ts';
import { type FetchRequest, FetchResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';

/**
 * The least that keeps the promise of a fetch: over the same kind of socket, reads the value with the caller's token
 * over one kept-alive connection, puts a line on the disk, and answers. It attests, decides, checks and signs nothing.
 */
const [socket = '', origin = '', path = '', log = ''] = process.argv.slice(2);
const bao = new Client(origin);
const fd = openSync(log, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_DSYNC, 0o600);
const line = Buffer.from(`${'x'.repeat(700)}\n`);

const record = (): Promise<void> =>
  new Promise((resolve, reject) => {
    write(fd, line, (error) => (error === null ? resolve() : reject(error)));
  });

async function answer({ openbaoToken }: FetchRequest): Promise<FetchResponse> {
  const headers = { 'x-vault-token': openbaoToken.toString('utf8') };
  const { statusCode, body } = await bao.request({ method: 'GET', path: `/v1/${path}`, headers });
  const { data } = (await body.json()) as { data: { data: Record<string, string> } };
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  await record();
  const fields = Object.entries(data.data).map(([name, value]) => ({ name, value: Buffer.from(value) }));
  return FetchResponse.fromPartial({ fields });
}

const server = new Server();
server.addService(toServiceDefinition(WardenDefinition as GeneratedService), {
  Fetch({ request }: ServerUnaryCall<FetchRequest, FetchResponse>, done: sendUnaryData<FetchResponse>) {
    answer(request).then((value) => done(null, value), done);
  },
});
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stderr.write('"ready"\n');
});
process.on('SIGTERM', () => process.exit(0));
