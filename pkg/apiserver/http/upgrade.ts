/**
 * Streams that take over the connection (exec, attach, port-forward): the client's own upgrade request is handed to the node
 * as it came, and from then on bytes pass both ways untouched, unless the client's protocol is one that runtimes do not speak (stream-conversion.ts). Until
 * then every refusal is a Status over HTTP/1.1.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { StatusError } from '#base/errors';
import { isTokenProtocol } from '../auth/authenticate.ts';

/** Channel protocols over WebSocket that runtimes speak. */
const webSocketProtocols = new Set(['v4.channel.k8s.io', 'channel.k8s.io', 'v4.base64.channel.k8s.io', 'base64.channel.k8s.io']);
/** What is between the client and this server only. */
const withheld = new Set(['authorization', 'cookie']);

/**
 * Whether the first protocol that the client offers and that is supported is the `converted` one; else the runtime speaks for itself. Throws `BadRequest` for
 * an upgrade that is neither.
 */
export function isConverted(request: IncomingMessage, converted: string): boolean {
  const upgrade = (request.headers.upgrade ?? '').toLowerCase();
  if (upgrade === 'websocket') {
    const offered = offeredProtocols(request.headers['sec-websocket-protocol'] ?? '');
    const chosen = offered.find((protocol) => protocol === converted || webSocketProtocols.has(protocol));
    if (chosen !== undefined) return chosen === converted;
    throw new StatusError(
      'BadRequest',
      `none of the offered WebSocket protocols is supported: ${offered.join(', ')}; use ${[converted, ...webSocketProtocols].join(', ')}, or SPDY/3.1`,
    );
  }
  if (upgrade !== 'spdy/3.1') {
    throw new StatusError('BadRequest', `Upgrade request required: upgrade to SPDY/3.1 or websocket, not to ${JSON.stringify(upgrade)}`);
  }
  return false;
}

/** Those of a `Sec-WebSocket-Protocol` header that are no credentials. */
export function offeredProtocols(header: string): string[] {
  return header
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '' && !isTokenProtocol(protocol));
}

/** The upgrade request as the client sent it, but for credentials. */
export function upgradeRequestBytes(request: IncomingMessage): Buffer {
  const lines = [`${request.method ?? 'POST'} ${request.url ?? '/'} HTTP/1.1`];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at]!;
    const value = request.rawHeaders[at + 1]!;
    if (name.toLowerCase() === 'sec-websocket-protocol') lines.push(`${name}: ${offeredProtocols(value).join(', ')}`);
    else if (!withheld.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Passes bytes both ways, half-closes included, until both directions have ended or one side is gone. */
export function tunnel(client: Duplex, node: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const closed = (): void => {
      client.destroy();
      node.destroy();
      if (--open === 0) resolve();
    };
    client.on('error', () => undefined);
    node.on('error', () => undefined);
    client.once('close', closed);
    node.once('close', closed);
    client.pipe(node);
    node.pipe(client);
  });
}

/** Answers an upgrade request with an error, and closes the connection. */
export function refuseUpgrade(socket: Duplex, error: StatusError): void {
  const body = Buffer.from(`${JSON.stringify(error.toStatus())}\n`);
  const head = [
    `HTTP/1.1 ${error.code} ${error.reason}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
    '',
    '',
  ].join('\r\n');
  socket.on('error', () => undefined);
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), body]));
}
