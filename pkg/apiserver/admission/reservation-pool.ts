/**
 * A bounded set of values (addresses, ports) each held by at most one object. A value is held by an internal key that is written in its
 * holder's own commit and removed with it, so that a value can be neither lost nor held twice, whatever fails.
 */
import { StatusError } from '#base/errors';
import type { Backend } from '#storage/backend';
import { internalKey } from '#storage/keys';
import { encodeJson } from '#storage/values';
import type { Reservation } from './admission.ts';

export interface PoolOptions {
  readonly backend: Backend;
  /** The first part of its keys, and its name in messages. */
  readonly name: string;
  readonly size: number;
  /** The value at this place, from 0. */
  readonly at: (index: number) => string;
  /** In [0, 1). */
  readonly random?: () => number;
}

export interface Holder {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** Guesses before the pool looks at what is taken: it is mostly empty, and a wrong guess costs only a failed commit. */
const guesses = 3;

export class ReservationPool {
  readonly #options: PoolOptions;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  key(value: string): string {
    return internalKey(this.#options.name, value);
  }

  /** A value that is probably free; the commit decides. Throws `StatusError` when there is none left. */
  async choose(attempt: number, avoid: ReadonlySet<string>): Promise<string> {
    const { size, at, backend, name } = this.#options;
    const random = this.#options.random ?? Math.random;
    const start = Math.floor(random() * size);
    if (attempt < guesses) {
      for (let index = 0; index < size; index++) {
        const value = at((start + index) % size);
        if (!avoid.has(value)) return value;
      }
    }
    const taken = new Set((await backend.list(`${internalKey(name)}/`)).items.map((item) => item.key));
    for (let index = 0; index < size; index++) {
      const value = at((start + index) % size);
      if (!avoid.has(value) && !taken.has(this.key(value))) return value;
    }
    throw new StatusError(
      'InternalError',
      `all ${size} of the ${name} are taken; delete a Service that is no longer needed, or start the server with a larger range`,
    );
  }

  /** Takes the value in the object's commit; without `taken`, admission runs again when it was not free. */
  hold(value: string, holder: Holder, taken?: StatusError): Reservation {
    return { key: this.key(value), revision: 0, value: encodeJson(holder), ...(taken === undefined ? {} : { taken }) };
  }

  /** Gives the value back in the object's commit. */
  release(value: string): Reservation {
    return { key: this.key(value), value: 'delete' };
  }
}
