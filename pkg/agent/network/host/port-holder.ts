/**
 * Keeps the node's ports that rules send to pods: a socket is bound to each before its rule is made, so that no other program's port is taken
 * from it, and none takes ours afterwards. Nothing ever arrives at these sockets; the rules see the packets first.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { codeOf, messageOf } from '#base/errors';
import type { Protocol } from '../state.ts';

export interface WantedPort {
  readonly protocol: Protocol;
  /** `0.0.0.0`: all. */
  readonly address: string;
  readonly port: number;
}

interface Held {
  release(): Promise<void>;
}

export function portKey(port: WantedPort): string {
  return `${port.address}:${port.port}/${port.protocol}`;
}

export class PortHolder {
  readonly #held = new Map<string, Held>();

  /** Holds exactly `wanted` from now on. Gives the reason for each that it could not get, by `portKey`. */
  async hold(wanted: readonly WantedPort[]): Promise<ReadonlyMap<string, string>> {
    const keys = new Set(wanted.map(portKey));
    for (const [key, held] of this.#held) {
      if (keys.has(key)) continue;
      this.#held.delete(key);
      await held.release();
    }
    const failures = new Map<string, string>();
    for (const port of wanted) {
      const key = portKey(port);
      if (this.#held.has(key) || failures.has(key)) continue;
      try {
        this.#held.set(key, await bind(port));
      } catch (error) {
        failures.set(key, reasonOf(error, port));
      }
    }
    return failures;
  }

  async close(): Promise<void> {
    await this.hold([]);
  }
}

function bind(port: WantedPort): Promise<Held> {
  switch (port.protocol) {
    case 'tcp':
      return bindTcp(port);
    case 'udp':
      return bindUdp(port);
    case 'sctp':
      // Node has no such sockets: the port is opened without being held.
      return Promise.resolve({ release: async () => undefined });
  }
}

function bindTcp({ address, port }: WantedPort): Promise<Held> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.unref();
      resolve({ release: () => new Promise((released) => void server.close(() => released())) });
    });
  });
}

function bindUdp({ address, port }: WantedPort): Promise<Held> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.unref();
      resolve({ release: () => new Promise((released) => void socket.close(() => released())) });
    });
  });
}

function reasonOf(error: unknown, { address }: WantedPort): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return 'another program on this node uses the port: stop it, or choose another port';
    case 'EADDRNOTAVAIL':
      return `the address ${address} is none of this node's`;
    case 'EACCES':
      return 'the agent may not open ports below 1024: run it as root';
    default:
      return messageOf(error);
  }
}
