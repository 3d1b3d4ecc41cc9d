/**
 * Clients' newer protocols over WebSocket, turned into the SPDY that every runtime speaks: `v5.channel.k8s.io` (exec and attach: a byte says of which
 * standard stream a message is, and 255 that one of them ends) and `SPDY/3.1+portforward.k8s.io` (messages are the bytes of a SPDY connection).
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { StatusError } from '#base/errors';
import { SpdyConnection, type SpdyStream } from '#base/spdy/spdy-connection';
import type { StreamTarget } from '#client/node-connector';
import { acceptanceOf, WebSocketConnection } from './web-socket.ts';

/** A WebSocket protocol that is converted, by what it is about. */
export const convertedProtocols = {
  exec: 'v5.channel.k8s.io',
  attach: 'v5.channel.k8s.io',
  portForward: 'SPDY/3.1+portforward.k8s.io',
} as const;

const spdyProtocols = { exec: 'v4.channel.k8s.io', attach: 'v4.channel.k8s.io', portForward: 'portforward.k8s.io' } as const;
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const headLimit = 64 * 1024;

type Converted = Extract<StreamTarget, { type: keyof typeof convertedProtocols }>;

/**
 * Has the runtime behind `node` speak SPDY, and gives what joins the client with it, once both are there; it resolves when the conversation is over. Throws
 * `BadRequest` for a request that is no WebSocket's, and `InternalError` where the runtime refuses.
 */
export async function convert(
  request: IncomingMessage,
  node: Duplex,
  target: Converted,
): Promise<(client: Duplex, head: Buffer) => Promise<void>> {
  const acceptance = acceptanceOf(request, convertedProtocols[target.type]);
  await upgradeNode(node, spdyProtocols[target.type]);
  return async (client, head) => {
    client.write(acceptance);
    const over = target.type === 'portForward' ? joinBytes(client, head, node) : joinChannels(client, head, node, target);
    // It was paused behind the head of its answer.
    node.resume();
    try {
      await over;
    } finally {
      client.destroy();
      node.destroy();
    }
  };
}

/** Reads no further than to the end of the answer's head. */
async function upgradeNode(node: Duplex, protocol: string): Promise<void> {
  const lines = ['POST / HTTP/1.1', 'Host: runtime', 'Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`];
  node.write([...lines, 'Content-Length: 0', '', ''].join('\r\n'));
  const answer = await new Promise<Buffer>((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const finish = (error?: Error): void => {
      node.pause();
      node.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', finish);
      if (error === undefined) resolve(bytes);
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.includes('\r\n\r\n')) finish();
      else if (bytes.length > headLimit) finish(new StatusError('InternalError', 'the runtime does not end its answer'));
    };
    const onEnd = (): void => finish(new StatusError('InternalError', 'the runtime opened no stream'));
    // What breaks later ends with `close`, too.
    node.on('error', () => undefined);
    node.on('data', onData).once('end', onEnd).once('close', onEnd).once('error', finish);
  });
  const end = answer.indexOf('\r\n\r\n') + 4;
  const status = answer.toString('latin1', 0, answer.indexOf('\r\n'));
  if (!/^HTTP\/1\.1 101\b/.test(status)) {
    node.destroy();
    throw new StatusError('InternalError', `the runtime opened no stream: ${status} ${answer.toString('utf8', end).trim()}`.trim());
  }
  if (end < answer.length) node.unshift(answer.subarray(end));
}

/** Each message is some of the bytes. */
function joinBytes(client: Duplex, head: Buffer, node: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const socket: WebSocketConnection = new WebSocketConnection(client, head, {
      onPiece: (piece) => {
        if (node.writable && !node.write(piece)) {
          socket.pause();
          node.once('drain', () => socket.resume());
        }
      },
      onClose: resolve,
    });
    forward(node, socket, (chunk) => socket.send(chunk));
    node.once('end', () => socket.close());
    node.once('close', () => socket.close());
  });
}

function joinChannels(client: Duplex, head: Buffer, node: Duplex, target: Extract<Converted, { type: 'exec' | 'attach' }>): Promise<void> {
  const spdy = new SpdyConnection(node, { role: 'client' });
  const open = (streamtype: string): SpdyStream => spdy.createStream({ streamtype });
  // The runtime takes them in any order, and begins when all are there.
  const error = open('error');
  error.end();
  const inputs = new Map<number, SpdyStream>();
  if (target.stdin) inputs.set(channels.stdin, open('stdin'));
  const outputs = new Map<number, SpdyStream>([[channels.error, error]]);
  if (target.stdout) outputs.set(channels.stdout, open('stdout'));
  if (target.stderr) outputs.set(channels.stderr, open('stderr'));
  if (target.tty) inputs.set(channels.resize, open('resize'));
  return new Promise((resolve) => {
    let current: SpdyStream | 'close' | undefined;
    const socket: WebSocketConnection = new WebSocketConnection(client, head, {
      onPiece: (piece, begins) => {
        let rest = piece;
        if (begins && piece.length > 0) {
          const channel = piece[0]!;
          current = channel === channels.close ? 'close' : inputs.get(channel);
          rest = piece.subarray(1);
        }
        if (rest.length === 0 || current === undefined) return;
        if (current === 'close') {
          const ended = inputs.get(rest[0]!);
          inputs.delete(rest[0]!);
          ended?.end();
        } else if (current.writable && !current.write(rest)) {
          const input = current;
          const goOn = (): void => {
            input.off('drain', goOn).off('close', goOn);
            socket.resume();
          };
          socket.pause();
          input.once('drain', goOn).once('close', goOn);
        }
      },
      onClose: resolve,
    });
    // By an empty message the client sees that it has begun.
    socket.send(Buffer.from([target.stdout ? channels.stdout : target.stderr ? channels.stderr : channels.error]));
    for (const stream of inputs.values()) stream.on('error', () => undefined).resume();
    const ends = [...outputs].map(async ([channel, stream]) => {
      const mark = Buffer.from([channel]);
      forward(stream, socket, (chunk) => socket.send(mark, chunk));
      await new Promise<void>((ended) =>
        stream
          .once('end', ended)
          .once('close', ended)
          .on('error', () => ended()),
      );
    });
    void Promise.all(ends).then(() => socket.close());
    node.once('close', () => socket.close());
  });
}

/** Reads no faster than the client does. */
function forward(from: Duplex, socket: WebSocketConnection, send: (chunk: Buffer) => boolean): void {
  from.on('data', (chunk: Buffer) => {
    if (send(chunk)) return;
    from.pause();
    socket.onDrain(() => from.resume());
  });
}
