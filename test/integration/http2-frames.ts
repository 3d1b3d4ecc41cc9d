/** HTTP/2 frame by frame, for what no library lets one send. */
import type { TLSSocket } from 'node:tls';

export const frameTypes = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8, continuation: 9 };

export const preface: Buffer = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(frameTypes.settings)]);

/** `GET / HTTP/2` with authority `a`, compressed. */
export const getRoot: Buffer = Buffer.from([0x82, 0x84, 0x87, 0x41, 0x01, 0x61]);

export function frame(type: number, flags = 0, stream = 0, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The preface and then all of this, as fast as it is taken; ends early when the server ends the connection. Then lets go of it. */
export async function flood(socket: TLSSocket, chunks: Iterable<Buffer>): Promise<void> {
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  socket.resume();
  socket.write(preface);
  for (const chunk of chunks) {
    if (socket.destroyed) break;
    if (socket.write(chunk)) continue;
    let onDrain = (): void => undefined;
    const drained = new Promise<void>((resolve) => {
      onDrain = resolve;
      socket.once('drain', onDrain);
    });
    await Promise.race([drained, closed]);
    socket.removeListener('drain', onDrain);
  }
  await new Promise<void>((resolve) => void socket.end(() => resolve())).catch(() => undefined);
  socket.destroy();
  await closed;
}
