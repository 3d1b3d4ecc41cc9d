/**
 * The verbs in the caller's own process, as one user: no sockets and no JSON in between. What is handed in is copied by decoding; what comes out is
 * shared and frozen.
 */
import { setImmediate } from 'node:timers/promises';
import type { KubernetesObject } from '#api/object';
import { type Clock, systemClock } from '#base/clock';
import { isAbort } from '#base/lifecycle';
import type { ApiRequest, Transport, WatchEvent, WatchRequest } from '#client/transport';
import type { Compare } from '#storage/backend';
import type { RequestContext, UserInfo } from './request-context.ts';
import type { ServedList } from './verbs/answer.ts';
import type { Verbs } from './verbs/verbs.ts';

export interface LocalTransportOptions {
  readonly clock?: Clock;
  /** Takes the warnings that come with answers; they are dropped unless given. */
  readonly warn?: (text: string, request: ApiRequest) => void;
  /** Every write is refused (ServiceUnavailable) once this does not hold any more: a leader's. */
  readonly fence?: Compare;
}

/** Milliseconds of parsing after which others are let run. */
const slice = 5;

export function createLocalTransport(verbs: Verbs, user: UserInfo, options: LocalTransportOptions = {}): Transport {
  return {
    send: async (request, signal) => {
      signal?.throwIfAborted();
      const warn = (text: string): void => options.warn?.(text, request);
      const context: RequestContext = { user, warn, ...(signal === undefined ? {} : { signal }) };
      const answer = await untilAborted(verbs.send(context, request, options.fence), signal);
      switch (answer.type) {
        case 'object':
          return answer.object.object;
        case 'list':
          return await wholeList(answer.list, options.clock ?? systemClock);
        case 'status':
          return answer.status;
      }
    },
    watch: async function* (request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
      if (signal.aborted) return;
      // A signal of its own: the caller's may be shared by many watches.
      const own = AbortSignal.any([signal]);
      const context: RequestContext = { user, signal: own, warn: () => undefined };
      try {
        const clock = options.clock ?? systemClock;
        for await (const batch of await verbs.watch(context, request, own)) {
          let since = clock.monotonic();
          for (const [index, event] of batch.entries()) {
            // What was there when the watch began may be much, and is parsed here.
            if (index % 32 === 31 && clock.monotonic() - since > slice) {
              await setImmediate();
              since = clock.monotonic();
            }
            if (signal.aborted) return;
            yield { type: event.type, object: event.object.object };
          }
        }
      } catch (error) {
        if (!(signal.aborted && isAbort(error))) throw error;
      }
    },
  };
}

async function wholeList(list: ServedList, clock: Clock): Promise<object> {
  const items: KubernetesObject[] = [];
  let since = clock.monotonic();
  for (const [index, item] of list.items.entries()) {
    items.push(item.object);
    if (index % 32 === 31 && clock.monotonic() - since > slice) {
      await setImmediate();
      since = clock.monotonic();
    }
  }
  return { apiVersion: list.apiVersion, kind: list.kind, metadata: list.metadata, items };
}

/** The answer, or the signal's reason if it aborts first; a write goes on either way. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
