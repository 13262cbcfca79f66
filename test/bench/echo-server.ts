import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { type GeneratedService, toServiceDefinition } from '../../src/rpc/definition.ts';
import { type SignRequest, SignResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';

/** The same request and an answer of the same size as wardend's, with nothing done in between. */
const socket = process.argv[2] ?? '';
const server = new Server();
const answer = SignResponse.fromPartial({
  certificate: 'x'.repeat(640),
  evidence: {
    serial: 1n,
    keyId: 'x'.repeat(60),
    fingerprint: 'x'.repeat(50),
    principals: ['bench-0'],
    requestId: 'x'.repeat(36),
  },
});
server.addService(toServiceDefinition(WardenDefinition as GeneratedService), {
  Sign(_call: ServerUnaryCall<SignRequest, SignResponse>, done: sendUnaryData<SignResponse>) {
    done(null, answer);
  },
});
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stderr.write('"ready"\n');
});
process.on('SIGTERM', () => server.forceShutdown());
