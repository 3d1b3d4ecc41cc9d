/**
 * A watch that lives longer than its connections: when one ends, the next begins right after the last revision that was taken, so that
 * nothing is lost and nothing comes twice, wherever the cut was. An outage of etcd is waited out, however long.
 */
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Logger } from '#base/logging';
import { CompactedError, FutureRevisionError, type Revision, SlowConsumerError, type WatchBatch } from '../backend.ts';
import { EtcdError } from './etcd-error.ts';
import { WatchConnection, type WatchTarget } from './watch-connection.ts';

export interface EtcdWatchOptions extends WatchTarget {
  readonly clock: Clock;
  readonly log: Logger;
  /** The newest revision, linearizable. */
  readonly revision: () => Promise<Revision>;
  /** Called when a watch begins behind the newest revision: etcd tells no progress for revisions that are of no concern to the watch. */
  readonly behind: () => void;
}

/** Milliseconds within which a member must begin a watch, before the next is asked. */
const beginTimeout = 5_000;

/** See `Backend.watch`. */
export async function* watchEtcd(
  options: EtcdWatchOptions,
  after: Revision,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  const { connection, keyspace, clock, log } = options;
  const stop = AbortSignal.any([signal, connection.ended]);
  let position = after;
  /** Connections that gave nothing, one after the other. */
  let failures = 0;
  let incomplete = false;
  while (!stop.aborted) {
    if (position < keyspace.base) throw new CompactedError(keyspace.base);
    const { member } = connection;
    let failure: unknown;
    let watch: WatchConnection | undefined;
    const close = (): void => watch?.close();
    stop.addEventListener('abort', close, { once: true });
    try {
      watch = await WatchConnection.open(options, position);
      if (stop.aborted) break;
      await begun(watch, options, position);
      for (let taken = await watch.take(); taken !== undefined; taken = await watch.take()) {
        if (signal.aborted) return;
        failures = 0;
        incomplete = false;
        position = taken.revision;
        yield taken;
      }
      failure = watch.failure;
    } catch (error) {
      failure = error;
    } finally {
      stop.removeEventListener('abort', close);
      watch?.close();
    }
    if (stop.aborted) break;
    if (isFinal(failure)) throw failure;
    const kind = failure instanceof EtcdError ? failure.kind : 'unanswered';
    if (kind === 'token') connection.forgetToken();
    // What an event changed has been compacted. Then so has the place from which the next watch begins; should etcd not say so, it is of no use all the same.
    if (kind === 'compacted' && incomplete) throw new CompactedError(position + 1);
    incomplete = kind === 'compacted';
    if (failures > 0 && (kind === 'refused' || kind === 'token'))
      log.warn('a watch is refused; trying again', { error: messageOf(failure) });
    connection.leave(member);
    await clock.sleep(connection.delay(failures++), stop).catch(() => undefined);
  }
  if (!signal.aborted && connection.failed) connection.checkOpen();
}

/** Waits until the watch has begun. */
async function begun(watch: WatchConnection, options: EtcdWatchOptions, position: Revision): Promise<void> {
  const limit = options.clock.schedule(beginTimeout, () => watch.close());
  try {
    const newest = await watch.created();
    if (newest > position) options.behind();
    if (newest >= position) return;
    // The member may be behind the others; the store itself may not.
    const known = await options.revision();
    if (known < position) throw new FutureRevisionError(known);
  } finally {
    limit.cancel();
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof CompactedError || error instanceof FutureRevisionError || error instanceof SlowConsumerError;
}
