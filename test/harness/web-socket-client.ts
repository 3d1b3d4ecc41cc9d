/** A WebSocket by hand, for tests of the API server's streams with clients that are not kubectl. Messages must be whole in one frame each, as the server's are. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { ConnectionOptions } from '#client/kubeconfig';

export interface WebSocketClient {
  /** What the server has chosen of the protocols that were offered. */
  readonly protocol: string;
  /** Sends a binary message. */
  send(message: Uint8Array): void;
  /** The server's messages, until it closes. */
  messages(): AsyncGenerator<Buffer>;
  close(): void;
}

/** Throws the head of the answer where it is not 101. */
export async function openWebSocket(connection: ConnectionOptions, path: string, protocols: readonly string[]): Promise<WebSocketClient> {
  const { hostname, port } = new URL(connection.server);
  const { certificateAuthority: ca, clientCertificate: cert, clientKey: key } = connection;
  const socket = connect({
    host: hostname,
    port: Number(port),
    ALPNProtocols: ['http/1.1'],
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${hostname}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Sec-WebSocket-Protocol: ${protocols.join(', ')}`,
  ];
  socket.write([...lines, '', ''].join('\r\n'));
  let bytes: Buffer = Buffer.alloc(0);
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const more = async (): Promise<boolean> => {
    const { value, done } = await chunks.next();
    if (done !== true) bytes = Buffer.concat([bytes, value]);
    return done !== true;
  };
  while (!bytes.includes('\r\n\r\n') && (await more()));
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const head = bytes.toString('latin1', 0, end);
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(bytes.toString());
  bytes = bytes.subarray(end);
  return {
    protocol: /^Sec-WebSocket-Protocol: *(\S+)/im.exec(head)?.[1] ?? '',
    send: (message) => sendFrame(socket, message),
    close: () => socket.destroy(),
    messages: async function* () {
      for (;;) {
        const frame = readFrame(bytes);
        if (frame === undefined) {
          if (!(await more())) return;
          continue;
        }
        bytes = frame.rest;
        if (frame.opcode === 8) return;
        if (frame.opcode === 1 || frame.opcode === 2) yield frame.payload;
      }
    },
  };
}

function sendFrame(socket: TLSSocket, message: Uint8Array): void {
  if (message.length > 125) throw new RangeError('this client says little at once');
  const mask = randomBytes(4);
  socket.write(Buffer.concat([Buffer.from([0x82, 0x80 | message.length]), mask, message.map((byte, at) => byte ^ mask[at & 3]!)]));
}

function readFrame(bytes: Buffer): { readonly opcode: number; readonly payload: Buffer; readonly rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]!;
  const start = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < start) return undefined;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + length) return undefined;
  return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}
