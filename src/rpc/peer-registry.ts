import type { Socket } from 'node:net';
import type { AttestedConnection } from '../callers/connection.ts';

/**
 * Binds attested connections to gRPC calls. The tag is put on our own side of the socket, where grpc-js reads
 * a peer's address from; nothing that a client sends (metadata, authority, headers) has a way to it.
 */
export class PeerRegistry {
  readonly #peers = new Map<string, AttestedConnection>();
  /** Of those, the ones that no call has come in by yet. */
  readonly #fresh = new Set<string>();
  #next = 0;

  get size(): number {
    return this.#peers.size;
  }

  /** Connections that were accepted and whose first call is still to come. */
  get fresh(): number {
    return this.#fresh.size;
  }

  bind(socket: Socket, connection: AttestedConnection): void {
    const tag = `caller-${++this.#next}`;
    Object.defineProperty(socket, 'remoteAddress', { value: tag, configurable: false, writable: false });
    this.#peers.set(tag, connection);
    this.#fresh.add(tag);
    socket.once('close', () => {
      this.#peers.delete(tag);
      this.#fresh.delete(tag);
    });
  }

  /** Whom a call is from; null once the connection is gone. */
  find(tag: string): AttestedConnection | null {
    this.#fresh.delete(tag);
    return this.#peers.get(tag) ?? null;
  }
}
