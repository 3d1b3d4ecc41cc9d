import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import { isAbort } from '#base/lifecycle';
import type { ServedEvent } from '../verbs/answer.ts';
import type { Response } from './reply.ts';

/** Milliseconds within which further events are joined. */
const joinDelay = 8;
/** A write is not put off beyond this size. */
const joinSize = 256 * 1024;
/** How long a client may leave its buffers full before it is dropped, milliseconds. */
const stallLimit = 60_000;
/** Events encoded in one turn of the event loop. */
const eventsPerTurn = 200;

export interface WatchStream {
  readonly response: Response;
  readonly contentType: string;
  readonly events: AsyncIterable<readonly ServedEvent[]>;
  /** One event as it goes over the wire; `first` is the first of this watch. */
  encode(event: ServedEvent, first: boolean): Uint8Array;
  encodeError(error: StatusError): Uint8Array;
  readonly clock: Clock;
  /** Aborted when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  written(events: number): void;
}

/** Resolves when the watch has ended, for whatever reason: an error of it becomes an ERROR event. */
export async function streamWatch(stream: WatchStream): Promise<void> {
  const { response, signal } = stream;
  response.writeHead(200, { 'content-type': stream.contentType, 'cache-control': 'no-cache, private' });
  // HTTP/2 sends its headers at once; HTTP/1.1 would wait for the first event.
  if ('flushHeaders' in response) response.flushHeaders();
  const writer = new JoiningWriter(stream);
  try {
    let first = true;
    for await (const batch of stream.events) {
      let turn = 0;
      for (const event of batch) {
        writer.add(stream.encode(event, first));
        first = false;
        if (writer.size >= joinSize) await writer.flush();
        if (++turn % eventsPerTurn === 0) await nextTurn();
      }
      stream.written(batch.length);
      if (writer.full) await writer.flush();
      else writer.flushSoon();
      if (signal.aborted) break;
    }
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) {
      writer.add(
        stream.encodeError(error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error), { cause: error })),
      );
    }
  } finally {
    await writer.flush().catch(() => undefined);
    writer.stop();
    response.end();
  }
}

class JoiningWriter {
  readonly #stream: WatchStream;
  #waiting: Uint8Array[] = [];
  #timer: { cancel(): void } | undefined;
  #writable = true;
  size = 0;

  constructor(stream: WatchStream) {
    this.#stream = stream;
  }

  /** Whether the client's buffers are full, so that one must wait before going on. */
  get full(): boolean {
    return !this.#writable;
  }

  add(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.size += bytes.length;
  }

  /** Now when nothing was written lately, else together with what comes until then. */
  flushSoon(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.#write();
    this.#rest();
  }

  /** Writes all, and waits while the client's buffers are full. Throws when the client does not read for too long. */
  async flush(): Promise<void> {
    this.#write();
    if (this.#writable || this.#stream.response.destroyed) return;
    const { response, clock } = this.#stream;
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
    this.#writable = true;
    if (!reading) {
      response.destroy();
      throw new StatusError('Timeout', 'the client does not read its watch');
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #rest(): void {
    this.#timer = this.#stream.clock.schedule(joinDelay, () => {
      this.#timer = undefined;
      if (this.#waiting.length === 0) return;
      this.#write();
      this.#rest();
    });
  }

  #write(): void {
    if (this.#waiting.length === 0 || this.#stream.response.destroyed) return;
    const whole = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting, this.size);
    this.#waiting = [];
    this.size = 0;
    this.#writable = this.#stream.response.write(whole);
  }
}
