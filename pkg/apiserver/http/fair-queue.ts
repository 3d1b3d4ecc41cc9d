/**
 * Who is served next when more is asked than can be done at once. Every request takes seats, a wide one (a long list) more than
 * one; every user has a lane for light requests and one for lists, each with seats and a queue of its own, so that nobody's
 * lists stand in the way of anybody's other requests. Where lanes wait, the one that had least so far goes first. Never more
 * seats are taken than there are, nor by a lane than it may have; no queue is longer than its bound. Which requests come here,
 * and how wide they are, is the caller's to say.
 */
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';

export type Level = 'light' | 'lists';

export interface LevelLimits {
  /** Seats that one lane may have at once: fewer than all, so that others always find some. */
  readonly seats: number;
  /** Requests that may wait in one lane. */
  readonly queue: number;
}

export interface FairQueueOptions {
  readonly clock: Clock;
  readonly seats: number;
  readonly levels: Readonly<Record<Level, LevelLimits>>;
  /** Requests that may wait in all lanes together. */
  readonly queue: number;
  /** How long a request may wait, milliseconds. */
  readonly patience: number;
  /** Requests of one lane that may be held up by their client, without a seat, at once. */
  readonly stalled: number;
}

export const defaultLimits: Omit<FairQueueOptions, 'clock'> = {
  seats: 400,
  levels: { light: { seats: 240, queue: 1000 }, lists: { seats: 120, queue: 100 } },
  queue: 10_000,
  patience: 15_000,
  stalled: 50,
};

export type Rejection = 'queue-full' | 'time-out';

/** What is going on at one level. */
export interface LevelFigures {
  executing: number;
  seats: number;
  queued: number;
  dispatched: number;
  readonly rejected: Record<Rejection, number>;
}

/** Seconds after which a client that was refused is to ask again. */
const retryAfter = 1;

interface Waiting {
  readonly width: number;
  grant(): void;
}

interface Lane {
  readonly key: string;
  readonly level: Level;
  readonly waiting: Set<Waiting>;
  seats: number;
  /** Requests that have not left, those without a seat included. */
  requests: number;
  stalled: number;
  /** Width of what it was given while it waited, beginning where the others were. */
  share: number;
}

/** The right to be worked on. */
export interface Seat {
  /** Gives the seats back; may be called again. */
  leave(): void;
  /** Gives the seats back while the client holds the request up. False when too many of this lane do: the request is to be given up. */
  stall(): boolean;
}

export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes in which something waits. */
  readonly #waiting = new Set<Lane>();
  #seats = 0;
  #queued = 0;
  /** The share of the lane that went last. */
  #share = 0;
  /** Something waits for seats that nobody has: what comes later must not take them from it. */
  #saving = false;
  readonly figures: Readonly<Record<Level, LevelFigures>> = { light: noFigures(), lists: noFigures() };

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  /** At once, or undefined where the request must `wait`. A width above what a lane may have counts as all of it. */
  take(user: string, level: Level, width: number): Seat | undefined {
    const { seats, levels } = this.#options;
    const wide = Math.min(width, levels[level].seats);
    const lane = this.#lane(user, level);
    if (this.#saving || lane.waiting.size > 0 || this.#seats + wide > seats || lane.seats + wide > levels[level].seats) return undefined;
    return this.#seat(lane, wide);
  }

  /** Waits for its turn. Throws `TooManyRequests` with a time to come again where the queue is full or the wait is long; rejects with the signal's reason. */
  wait(user: string, level: Level, width: number, signal: AbortSignal): Promise<Seat> {
    const { clock, levels, queue, patience } = this.#options;
    const lane = this.#lane(user, level);
    if (signal.aborted) {
      this.#forget(lane);
      return Promise.reject(signal.reason);
    }
    if (lane.waiting.size >= levels[level].queue || this.#queued >= queue) {
      this.#forget(lane);
      return Promise.reject(this.#refuse(level, 'queue-full'));
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        lane.waiting.delete(entry);
        if (lane.waiting.size === 0) this.#waiting.delete(lane);
        this.#queued--;
        this.figures[level].queued--;
      };
      const giveUp = (error: unknown): void => {
        stop();
        this.#forget(lane);
        this.#dispatch();
        reject(error);
      };
      const onAbort = (): void => giveUp(signal.reason);
      const entry: Waiting = {
        width: Math.min(width, levels[level].seats),
        grant: () => {
          stop();
          resolve(this.#seat(lane, entry.width));
        },
      };
      const timer = clock.schedule(patience, () => giveUp(this.#refuse(level, 'time-out')));
      signal.addEventListener('abort', onAbort, { once: true });
      if (lane.waiting.size === 0) {
        lane.share = Math.max(lane.share, this.#share);
        this.#waiting.add(lane);
      }
      lane.waiting.add(entry);
      this.#queued++;
      this.figures[level].queued++;
      this.#dispatch();
    });
  }

  #seat(lane: Lane, width: number): Seat {
    const figures = this.figures[lane.level];
    this.#seats += width;
    lane.seats += width;
    lane.requests++;
    figures.seats += width;
    figures.executing++;
    figures.dispatched++;
    let state: 'seated' | 'stalled' | 'left' = 'seated';
    const giveBack = (): void => {
      this.#seats -= width;
      lane.seats -= width;
      figures.seats -= width;
      figures.executing--;
      if (this.#waiting.size > 0) this.#dispatch();
    };
    return {
      leave: () => {
        if (state === 'left') return;
        const was = state;
        state = 'left';
        lane.requests--;
        if (was === 'stalled') lane.stalled--;
        else giveBack();
        this.#forget(lane);
      },
      stall: () => {
        if (state !== 'seated') return true;
        if (lane.stalled >= this.#options.stalled) return false;
        state = 'stalled';
        lane.stalled++;
        giveBack();
        return true;
      },
    };
  }

  #dispatch(): void {
    const { seats, levels } = this.#options;
    for (;;) {
      let next: Lane | undefined;
      for (const lane of this.#waiting) {
        if ((next === undefined || lane.share < next.share) && lane.seats + headOf(lane).width <= levels[lane.level].seats) next = lane;
      }
      this.#saving = next !== undefined && this.#seats + headOf(next).width > seats;
      if (next === undefined || this.#saving) return;
      const head = headOf(next);
      this.#share = next.share;
      next.share += head.width;
      head.grant();
    }
  }

  #lane(user: string, level: Level): Lane {
    const key = level === 'light' ? user : `${user}\nlists`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, level, waiting: new Set(), seats: 0, requests: 0, stalled: 0, share: 0 };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #forget(lane: Lane): void {
    if (lane.requests === 0 && lane.waiting.size === 0) this.#lanes.delete(lane.key);
  }

  #refuse(level: Level, reason: Rejection): StatusError {
    this.figures[level].rejected[reason]++;
    return new StatusError('TooManyRequests', 'too many requests, please try again later', { details: { retryAfterSeconds: retryAfter } });
  }
}

function headOf(lane: Lane): Waiting {
  for (const first of lane.waiting) return first;
  throw new Error('a lane stands in line in which nothing waits');
}

function noFigures(): LevelFigures {
  return { executing: 0, seats: 0, queued: 0, dispatched: 0, rejected: { 'queue-full': 0, 'time-out': 0 } };
}
