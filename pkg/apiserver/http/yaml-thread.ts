import { Worker } from 'node:worker_threads';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';

/** How long one body may take, milliseconds; a real manifest of a megabyte takes a tenth of that. */
const readingTime = 10_000;
/** How long the thread is kept when there is nothing to do, milliseconds. */
const idleTime = 10_000;
/** What the thread may take of memory, MiB. */
const memory = 128;

export interface YamlRequest {
  readonly source: string;
}

export type YamlReply = { readonly json: string; readonly duplicates: readonly string[] } | { readonly refusal: string };

export interface YamlAsJson {
  readonly json: string;
  /** Where keys stood again in their mapping: `line 3`. */
  readonly duplicates: readonly string[];
}

/**
 * Reads YAML in a thread of its own, one body at a time. A body that takes too long, or too much memory, ends the thread, not the server; the next one
 * has a new thread.
 */
export class YamlThread {
  readonly #clock: Clock;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: { cancel(): void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `BadRequest` for what is no YAML document, `RequestEntityTooLarge` for one that takes too much. */
  async read(source: string): Promise<YamlAsJson> {
    const turn = this.#last.then(() => this.#read(source));
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async close(): Promise<void> {
    this.#idle?.cancel();
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #read(source: string): Promise<YamlAsJson> {
    this.#idle?.cancel();
    const worker = this.#started();
    worker.ref();
    const reply = await new Promise<YamlReply | undefined>((resolve) => {
      const limit = this.#clock.schedule(readingTime, () => done(undefined));
      const onEnd = (): void => done(undefined);
      const done = (answer: YamlReply | undefined): void => {
        limit.cancel();
        worker.removeListener('message', done);
        worker.removeListener('exit', onEnd);
        worker.unref();
        resolve(answer);
      };
      worker.once('message', done);
      worker.once('exit', onEnd);
      const request: YamlRequest = { source };
      worker.postMessage(request, []);
    });
    if (reply === undefined) {
      await this.close();
      throw new StatusError(
        'RequestEntityTooLarge',
        'Request entity too large: the YAML body takes too much time or memory to read: send JSON',
      );
    }
    this.#idle = this.#clock.schedule(idleTime, () => void this.close());
    if ('refusal' in reply) throw new StatusError('BadRequest', reply.refusal);
    return reply;
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./yaml-worker.mjs', import.meta.url), {
      name: 'yaml',
      resourceLimits: { maxOldGenerationSizeMb: memory, maxYoungGenerationSizeMb: 16 },
    });
    // Its end is what says that it failed.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    this.#worker = worker;
    return worker;
  }
}
