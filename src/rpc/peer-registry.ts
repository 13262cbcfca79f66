import type { Socket } from 'node:net';
import type { AttestedConnection } from '../callers/connection.ts';

/**
 * Binds attested connections to gRPC calls. The tag is put on our own side of the socket, where grpc-js reads
 * a peer's address from; nothing that a client sends (metadata, authority, headers) has a way to it.
 */
export class PeerRegistry {
  readonly #peers = new Map<string, AttestedConnection>();
  #next = 0;

  get size(): number {
    return this.#peers.size;
  }

  bind(socket: Socket, connection: AttestedConnection): void {
    const tag = `caller-${++this.#next}`;
    Object.defineProperty(socket, 'remoteAddress', { value: tag, configurable: false, writable: false });
    this.#peers.set(tag, connection);
    socket.once('close', () => this.#peers.delete(tag));
  }

  /** Null once the connection is gone. */
  find(tag: string): AttestedConnection | null {
    return this.#peers.get(tag) ?? null;
  }
}
