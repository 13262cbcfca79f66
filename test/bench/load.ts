import { Client, credentials } from '@grpc/grpc-js';
import type { Codec } from '../../src/rpc/definition.ts';
import {
  FetchRequest,
  FetchResponse,
  SignRequest,
  SignResponse,
  StatusRequest,
  StatusResponse,
} from '../../src/rpc/generated/warden/v1/warden.ts';
import { parseCertificateLine, verifyCertificate } from '../../src/ssh/certificate.ts';
import { parsePublicKeyLine } from '../../src/ssh/public-key.ts';

/** One grpc-js client connection, for ours and for the baseline alike. */
export class Caller {
  readonly #client: Client;
  readonly #request: SignRequest;

  constructor(socket: string, publicKey: string, actor = 'agt-bench-0') {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure());
    this.#request = SignRequest.fromPartial({ actor, publicKey });
  }

  sign(): Promise<SignResponse> {
    return this.#unary('Sign', SignRequest, SignResponse, this.#request);
  }

  #unary<Req, Res>(method: string, request: Codec<Req>, response: Codec<Res>, message: Req): Promise<Res> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/warden.v1.Warden/${method}`,
        (value: Req) => Buffer.from(request.encode(value).finish()),
        (bytes: Buffer) => response.decode(bytes),
        message,
        (error, value) => (error !== null || value === undefined ? reject(error) : resolve(value)),
      );
    });
  }

  /** The one field of a route. */
  async fetch(route: string, token: string): Promise<string> {
    const request = FetchRequest.fromPartial({ route, actor: 'agt-bench-0', openbaoToken: Buffer.from(token) });
    const { fields } = await this.#unary('Fetch', FetchRequest, FetchResponse, request);
    return fields[0]?.value.toString('utf8') ?? '';
  }

  async generation(): Promise<bigint> {
    return (await this.#unary('Status', StatusRequest, StatusResponse, {})).snapshot?.generation ?? 0n;
  }

  /** Calls a second, with `width` calls under way all the time; every answer is kept for checking. */
  async throughput(calls: number, width: number): Promise<{ perSecond: number; answers: SignResponse[] }> {
    const answers: SignResponse[] = [];
    let left = calls;
    const began = performance.now();
    const worker = async (): Promise<void> => {
      while (left-- > 0) answers.push(await this.sign());
    };
    await Promise.all(Array.from({ length: width }, worker));
    return { perSecond: (answers.length * 1000) / (performance.now() - began), answers };
  }

  /** Median milliseconds of one call after another. */
  async p50(calls: number): Promise<{ ms: number; answers: SignResponse[] }> {
    const times: number[] = [];
    const answers: SignResponse[] = [];
    for (let i = 0; i < calls; i++) {
      const began = performance.now();
      answers.push(await this.sign());
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    return { ms: times[Math.floor(times.length / 2)] ?? Number.NaN, answers };
  }

  close(): void {
    this.#client.close();
  }
}

/** Every answer a certificate over our key, verified, of a serial of its own, with a ledger number of its own. */
export function checkCertificates(answers: readonly SignResponse[], publicKey: string): void {
  const wanted = parsePublicKeyLine(publicKey).blob;
  const serials = new Set<bigint>();
  const numbers = new Set<bigint>();
  for (const { certificate, evidence } of answers) {
    const parsed = parseCertificateLine(certificate);
    if (!parsed.publicKey.blob.equals(wanted)) throw new Error('a certificate over another key');
    if (!verifyCertificate(parsed)) throw new Error('a certificate that does not verify');
    serials.add(parsed.serial);
    numbers.add(evidence?.ledgerSeq ?? 0n);
  }
  if (serials.size !== answers.length || numbers.size !== answers.length) throw new Error('a serial or a record twice');
}
