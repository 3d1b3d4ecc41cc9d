/**
 * Which lane of the fair queue a request stands in and how wide it is, by its verb and by how long such lists were before.
 * Health and what this process asks of itself never come here; watches and streams hold a seat until they begin.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { UserInfo } from '../request-context.ts';
import type { Exchange } from './exchange.ts';
import type { FairQueue, Level, LevelFigures, Seat } from './fair-queue.ts';

/** Items of a list for each seat that it takes. */
const itemsPerSeat = 250;
/** As wide as a list gets: a few such fill their lane. */
const widest = 40;
/** Seats for the deletion of a collection, however long. */
const collectionWidth = 10;
/** Lists of which the length is remembered. */
const rememberedLists = 2000;

export class FlowControl {
  readonly #queue: FairQueue;
  /** Items by list, as they were last. */
  readonly #lengths = new Map<string, number>();

  constructor(queue: FairQueue) {
    this.#queue = queue;
  }

  /** Gives the exchange a seat; it goes back when the exchange ends, or before. Throws `TooManyRequests`. */
  enter(exchange: Exchange, user: UserInfo, level: Level = 'light', width = 1): Promise<void> | undefined {
    exchange.seat = this.#queue.take(user.name, level, width);
    return exchange.seat === undefined ? this.#wait(exchange, user, level, width) : undefined;
  }

  /** A seat for what has no exchange: the first phase of a stream that takes over its connection. */
  async seatFor(user: UserInfo, signal: AbortSignal): Promise<Seat> {
    return this.#queue.take(user.name, 'light', 1) ?? (await this.#queue.wait(user.name, 'light', 1, signal));
  }

  /** For a request on a resource: `verb` in capitals; `list` names what is listed. */
  enterFor(exchange: Exchange, user: UserInfo, verb: string, list: string): Promise<void> | undefined {
    if (verb === 'LIST') return this.enter(exchange, user, 'lists', this.#listWidth(list, Number(exchange.query.get('limit') ?? 0)));
    if (verb === 'WATCH') {
      // Whoever says where to go on from is sent no objects first.
      const from = exchange.query.get('resourceVersion') ?? '';
      const goesOn = from !== '' && from !== '0' && !exchange.query.has('sendInitialEvents');
      return goesOn ? this.enter(exchange, user) : this.enter(exchange, user, 'lists', this.#listWidth(list, 0));
    }
    if (verb === 'DELETECOLLECTION') return this.enter(exchange, user, 'lists', collectionWidth);
    return this.enter(exchange, user);
  }

  /** Remembers how long a list was. */
  listed(list: string, items: number): void {
    if (this.#lengths.size >= rememberedLists && !this.#lengths.has(list)) this.#lengths.clear();
    this.#lengths.set(list, items);
  }

  #listWidth(list: string, limit: number): number {
    const length = this.#lengths.get(list) ?? 0;
    const items = limit > 0 ? Math.min(limit, length) : length;
    return Math.min(widest, 1 + Math.floor(items / itemsPerSeat));
  }

  async #wait(exchange: Exchange, user: UserInfo, level: Level, width: number): Promise<void> {
    const seat = await this.#queue.wait(user.name, level, width, exchange.signal);
    if (exchange.reason === undefined) exchange.seat = seat;
    else seat.leave();
  }
}

/** Shows the queue's figures under Kubernetes' names. */
export function registerFlowMetrics(registry: Registry, figures: Readonly<Record<Level, LevelFigures>>): void {
  const levels = Object.entries(figures);
  const labelNames = ['priority_level', 'flow_schema'] as const;
  const registers = [registry];
  const gauge = (name: string, help: string, read: (of: LevelFigures) => number): void => {
    const shown = new Gauge({
      name: `apiserver_flowcontrol_${name}`,
      help,
      labelNames,
      registers,
      collect: () => {
        for (const [level, of] of levels) shown.set({ priority_level: level, flow_schema: 'users' }, read(of));
      },
    });
  };
  gauge('current_inqueue_requests', 'Requests that wait for a seat.', (of) => of.queued);
  gauge('current_executing_requests', 'Requests that have seats.', (of) => of.executing);
  gauge('current_executing_seats', 'Seats that are taken.', (of) => of.seats);
  const dispatched = new Counter({
    name: 'apiserver_flowcontrol_dispatched_requests_total',
    help: 'Requests that were given seats.',
    labelNames,
    registers,
    collect: () => {
      dispatched.reset();
      for (const [level, of] of levels) dispatched.inc({ priority_level: level, flow_schema: 'users' }, of.dispatched);
    },
  });
  const rejected = new Counter({
    name: 'apiserver_flowcontrol_rejected_requests_total',
    help: 'Requests that were refused with 429, by why.',
    labelNames: [...labelNames, 'reason'],
    registers,
    collect: () => {
      rejected.reset();
      for (const [level, of] of levels) {
        for (const [reason, count] of Object.entries(of.rejected))
          rejected.inc({ priority_level: level, flow_schema: 'users', reason }, count);
      }
    },
  });
}
