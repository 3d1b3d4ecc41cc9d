/**
 * One watch on one connection: etcd's responses, put together into batches that never split a revision. It ends when the connection
 * does, after what had come whole has been taken; whoever reads goes on from there with the next one (see `etcd-watch.ts`).
 *
 * Only the events say how far the watch is: a response's header may be ahead of events that are still to come. Where a response has
 * none at all, and is no other notice, it is etcd's own periodic progress notice, which is sent in order with the events.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { CompactedError, type Revision, SlowConsumerError, type StoreEvent } from '../backend.ts';
import { EventQueue, eventOverhead, type Taken } from '../event-queue.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import { EtcdError, toEtcdError } from './etcd-error.ts';
import type { EtcdMember } from './etcd-member.ts';
import type { Event, WatchRequest, WatchResponse } from './generated/etcd.ts';
import type { Keyspace } from './keyspace.ts';

export interface WatchTarget {
  readonly connection: EtcdConnection;
  readonly keyspace: Keyspace;
  /** Keys that begin with this. */
  readonly prefix: string;
  /** How much may wait for the consumer, about bytes. */
  readonly maximumPendingBytes: number;
}

type Call = ClientDuplexStream<WatchRequest, WatchResponse>;

export class WatchConnection {
  readonly #target: WatchTarget;
  readonly #member: EtcdMember;
  readonly #call: Call;
  readonly #after: Revision;
  readonly #queue: EventQueue<StoreEvent>;
  readonly #created: Promise<Revision>;
  #resolveCreated: (revision: Revision) => void = () => undefined;
  #rejectCreated: (error: Error) => void = () => undefined;
  /** Events up to here were there when the watch began: the consumer may take its time with them. */
  #caughtUpAt = Number.POSITIVE_INFINITY;
  /** Everything up to here was given. */
  #whole: Revision;
  /** Events of one revision, of which more may come in the next fragment. */
  #partial: StoreEvent[] = [];
  #pendingBytes = 0;
  #paused = false;
  #failure: Error | undefined;

  /** Begins a watch of what is above `after`, at the member that is asked now. Throws `EtcdError` when the user cannot sign in. */
  static async open(target: WatchTarget, after: Revision): Promise<WatchConnection> {
    const { member } = target.connection;
    return new WatchConnection(target, member, member.watches.watch(await target.connection.metadata(member)), after);
  }

  private constructor(target: WatchTarget, member: EtcdMember, call: Call, after: Revision) {
    this.#target = target;
    this.#member = member;
    this.#call = call;
    this.#after = after;
    this.#whole = after;
    this.#queue = new EventQueue(after, Number.POSITIVE_INFINITY);
    this.#created = new Promise((resolve, reject) => {
      this.#resolveCreated = resolve;
      this.#rejectCreated = reject;
    });
    this.#created.catch(() => undefined);
    call.on('data', (response: WatchResponse) => this.#receive(response));
    call.on('error', (error: Error) => this.#end(toEtcdError(error, member.url)));
    call.on('end', () => this.#end(new EtcdError('unanswered', `etcd at ${member.url} ended a watch`)));
    const { keyspace, prefix } = target;
    call.write({
      requestUnion: {
        $case: 'createRequest',
        value: {
          ...keyspace.range(prefix),
          // From `after` itself, not from what follows it: etcd then says when `after` has been compacted, and what follows is whole.
          startRevision: keyspace.toEtcd(after),
          progressNotify: true,
          prevKv: true,
          fragment: true,
        },
      },
    });
  }

  /** Resolves with the store's revision at the member when the watch has begun there. Throws `CompactedError`, or `EtcdError`. */
  created(): Promise<Revision> {
    return this.#created;
  }

  /** Waits for whole revisions. Undefined when the connection ended; why, says `failure`. Throws `CompactedError`, `SlowConsumerError`. */
  async take(): Promise<Taken<StoreEvent> | undefined> {
    const taken = await this.#queue.take();
    this.#pendingBytes = 0;
    if (this.#paused) {
      this.#paused = false;
      // What was written while it waited is nothing that the consumer was slow with.
      this.#caughtUpAt = Math.max(this.#caughtUpAt, this.#target.keyspace.fromEtcd(this.#target.connection.highest));
      this.#call.resume();
    }
    return taken;
  }

  /** Why the connection ended; undefined while it has not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Ends it; what waits may still be taken. */
  close(): void {
    this.#end(new EtcdError('unanswered', 'the watch was closed'));
  }

  #receive(response: WatchResponse): void {
    if (this.#failure !== undefined) return;
    const { connection, keyspace } = this.#target;
    try {
      connection.observe(response.header);
    } catch (error) {
      this.#end(error as Error);
      return;
    }
    if (response.canceled) {
      this.#end(this.#reasonOf(response));
    } else if (response.created) {
      const revision = keyspace.fromEtcd(response.header?.revision ?? 0n);
      this.#caughtUpAt = revision;
      this.#resolveCreated(revision);
    } else if (response.events.length > 0) {
      this.#add(response.events, response.fragment);
    } else if (!response.fragment) {
      this.#queue.advance(Math.max(this.#whole, keyspace.fromEtcd(response.header?.revision ?? 0n)));
    }
  }

  #add(events: readonly Event[], moreFollows: boolean): void {
    const { keyspace } = this.#target;
    for (const each of events) {
      // Of the revision from which the watch begins nothing is wanted, and what it changed may have been compacted.
      if (keyspace.fromEtcd(each.kv?.modRevision ?? 0n) <= this.#after) continue;
      const event = keyspace.event(each);
      if (event === undefined) {
        // What was there before this event has been compacted: so has the place from which a new watch would begin.
        this.#end(new EtcdError('compacted', `etcd at ${this.#member.url} no longer has what an event changed`));
        return;
      }
      // A later revision has begun: the one before is whole, even if this response is a fragment.
      if (event.revision !== this.#partial[0]?.revision) this.#release();
      this.#partial.push(event);
    }
    if (!moreFollows) this.#release();
    if (this.#pendingBytes <= this.#target.maximumPendingBytes || this.#queue.empty) return;
    if (this.#whole <= this.#caughtUpAt) {
      this.#paused = true;
      this.#call.pause();
    } else this.#drop();
  }

  /** Gives the consumer the revision that is now whole. */
  #release(): void {
    const revision = this.#partial[0]?.revision;
    if (revision === undefined) return;
    for (const event of this.#partial) {
      const bytes = (event.type === 'put' ? event.value.length : 0) + (event.previous?.value.length ?? 0);
      this.#queue.push(event, bytes);
      this.#pendingBytes += bytes + eventOverhead;
    }
    this.#partial = [];
    this.#whole = revision;
    this.#queue.advance(revision);
  }

  #drop(): void {
    const error = new SlowConsumerError(
      'a watch was dropped: its consumer left too many events waiting; watch again from the last revision it saw',
    );
    this.#queue.fail(error);
    this.#end(error);
  }

  #end(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#rejectCreated(error);
    if (error instanceof CompactedError) this.#queue.fail(error);
    else this.#queue.end();
    this.#call.cancel();
    this.#call.resume();
  }

  #reasonOf({ compactRevision, cancelReason }: WatchResponse): Error {
    const { keyspace } = this.#target;
    if (compactRevision > 0n) return new CompactedError(Math.max(keyspace.base, keyspace.fromEtcd(compactRevision)));
    // etcd says so of a token that has ended, too.
    if (cancelReason.includes('permission denied'))
      return new EtcdError('token', `etcd at ${this.#member.url} refused a watch: ${cancelReason}`);
    return toEtcdError({ details: cancelReason === '' ? 'a watch was canceled without a reason' : cancelReason }, this.#member.url);
  }
}
