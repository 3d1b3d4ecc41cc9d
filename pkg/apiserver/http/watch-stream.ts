/**
 * Writes a watch as it goes over the wire. The first event goes out at once; what comes in the next milliseconds is written together, because a write
 * costs more than an event. A client that does not read stops its watch: what waits for it is bounded where it waits, in the cache.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import { isAbort } from '#base/lifecycle';
import type { ServedEvent } from '../verbs/answer.ts';
import type { Response } from './reply.ts';
import type { WatchFrames } from './watch-frames.ts';
import type { WatchRounds } from './watch-rounds.ts';

/** How long a client may leave its buffers full before it is dropped, milliseconds. */
const stallLimit = 60_000;

export interface WatchStream {
  readonly response: Response;
  readonly contentType: string;
  readonly events: AsyncIterable<readonly ServedEvent[]>;
  readonly frames: WatchFrames;
  /** Shared by all watches of the server. */
  readonly rounds: WatchRounds;
  readonly clock: Clock;
  /** Aborted when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  written(events: number): void;
}

/** Resolves when the watch has ended, for whatever reason: an error of it becomes an ERROR event. */
export async function streamWatch(stream: WatchStream): Promise<void> {
  const { response, signal, frames, rounds } = stream;
  response.writeHead(200, { 'content-type': stream.contentType, 'cache-control': 'no-cache, private' });
  // HTTP/2 sends its headers at once; HTTP/1.1 would wait for the first event.
  if ('flushHeaders' in response) response.flushHeaders();
  try {
    let first = true;
    for await (const batch of stream.events) {
      let pieces = 0;
      for (const piece of frames.pieces(batch, first)) {
        if (pieces++ > 0) await nextTurn();
        if (signal.aborted) break;
        if (!response.write(piece)) await drained(stream);
      }
      first = false;
      stream.written(batch.length);
      if (signal.aborted) break;
      await rounds.next();
    }
  } catch (error) {
    if (!signal.aborted && !isAbort(error) && !response.destroyed) {
      response.write(
        frames.error(error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error), { cause: error })),
      );
    }
  } finally {
    response.end();
  }
}

/** Resolves when the client has read what waits for it. Throws when it does not read for too long. */
async function drained({ response, clock }: WatchStream): Promise<void> {
  if (response.destroyed) return;
  const reading = await new Promise<boolean>((resolve) => {
    const limit = clock.schedule(stallLimit, () => done(false));
    const done = (answer: boolean): void => {
      limit.cancel();
      response.removeListener('drain', onDrain);
      response.removeListener('close', onClose);
      resolve(answer);
    };
    const onDrain = (): void => done(true);
    const onClose = (): void => done(true);
    response.once('drain', onDrain);
    response.once('close', onClose);
  });
  if (reading) return;
  response.destroy();
  throw new StatusError('Timeout', 'the client does not read its watch');
}
