/**
 * Watches over WebSockets, which some client libraries prefer: each event is a text message of its own, in JSON. What the client says is not listened to,
 * but for its end.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import { isAbort } from '#base/lifecycle';
import type { ServedEvent } from '../verbs/answer.ts';
import type { WatchFrames } from './watch-frames.ts';
import type { WatchRounds } from './watch-rounds.ts';
import { WebSocketConnection } from './web-socket.ts';

/** How long a client may leave its buffers full before it is dropped, milliseconds. */
const stallLimit = 60_000;
const lineEnd = 0x0a;

/** The request of a watch that is to become a WebSocket, and the connection that it came on. */
export interface WatchUpgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What has come after the request. */
  readonly head: Buffer;
}

export interface SocketStream extends WatchUpgrade {
  /** The answer that accepts the request. */
  readonly acceptance: Buffer;
  readonly events: AsyncIterable<readonly ServedEvent[]>;
  /** In JSON. */
  readonly frames: WatchFrames;
  readonly rounds: WatchRounds;
  readonly clock: Clock;
  /** Aborted when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  /** Ends the events. */
  readonly release: () => void;
  written(events: number): void;
}

/** Resolves when the watch has ended, for whatever reason: an error of it becomes an ERROR event. */
export async function streamToSocket(stream: SocketStream): Promise<void> {
  const { socket, head, signal, frames, rounds } = stream;
  socket.write(stream.acceptance);
  const connection = new WebSocketConnection(socket, head, { onPiece: () => undefined, onClose: stream.release });
  try {
    let first = true;
    for await (const batch of stream.events) {
      for (const piece of frames.pieces(batch, first)) if (!sendLines(connection, piece)) await drained(stream, connection);
      first = false;
      stream.written(batch.length);
      if (signal.aborted) break;
      await rounds.next();
    }
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) {
      sendLines(
        connection,
        frames.error(error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error), { cause: error })),
      );
    }
  } finally {
    connection.close();
  }
}

/** False: the client does not keep up. */
function sendLines(connection: WebSocketConnection, lines: Uint8Array): boolean {
  let keepsUp = true;
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf(lineEnd, start);
    keepsUp = connection.sendText(lines.subarray(start, end));
    start = end + 1;
  }
  return keepsUp;
}

/** Resolves when the client has read what waits for it. Throws when it does not read for too long. */
async function drained({ socket, clock, signal }: SocketStream, connection: WebSocketConnection): Promise<void> {
  const reading = await new Promise<boolean>((resolve) => {
    const limit = clock.schedule(stallLimit, () => done(false));
    const onGone = (): void => done(true);
    const done = (answer: boolean): void => {
      limit.cancel();
      signal.removeEventListener('abort', onGone);
      resolve(answer);
    };
    signal.addEventListener('abort', onGone, { once: true });
    connection.onDrain(onGone);
    if (signal.aborted) onGone();
  });
  if (reading) return;
  socket.destroy();
  throw new StatusError('Timeout', 'the client does not read its watch');
}
