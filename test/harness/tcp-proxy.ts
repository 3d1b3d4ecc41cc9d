/** A TCP relay on loopback that a test can cut: to see what a client does when a connection ends at a bad moment. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Ends all connections at once; new ones are taken. */
  cut(): void;
  /** What the server says next, on any connection, is not passed on: that connection ends instead. */
  loseReply(): void;
  /** Ends every connection once it has carried so many bytes from the server; undefined: no more. */
  cutAfter(bytes: number | undefined): void;
  /** How often a connection was ended. */
  readonly cuts: number;
  close(): Promise<void>;
}

/** `port`: where it listens; any free one unless given. */
export async function startTcpProxy(targetPort: number, port = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let limit: number | undefined;
  let losing = false;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      sockets.delete(client);
    };
    sockets.add(client);
    let carried = 0;
    for (const socket of [client, upstream]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => {
      carried += chunk.length;
      if (losing) {
        losing = false;
        cuts++;
        end();
        return;
      }
      client.write(chunk);
      if (limit !== undefined && carried > limit) {
        cuts++;
        end();
      }
    });
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      for (const socket of sockets) {
        cuts++;
        socket.destroy();
      }
    },
    loseReply: () => {
      losing = true;
    },
    cutAfter: (bytes) => {
      limit = bytes;
    },
    get cuts() {
      return cuts;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
