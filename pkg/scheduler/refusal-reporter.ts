import { pods } from '#api/shapes/resources';
import type { Pod, PodCondition } from '#api/shapes/types/core-v1';
import { type Clock, formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { isAbort, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { EventRecorder } from '#client/event-recorder';
import { keyOf, splitKey } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { createWorkQueue, type WorkQueue } from '#client/workqueue';

export interface Refused {
  readonly uid: string;
  /** `Unschedulable` or `SchedulingGated`. */
  readonly reason: string;
  readonly message: string;
}

/** Says on the object why a pod has no node: an event, and the condition PodScheduled=False. Works in the background, and says only what is new. */
export class RefusalReporter implements Runnable {
  readonly name = 'scheduler refusals';
  readonly #client: Client;
  readonly #informers: InformerSet;
  readonly #events: EventRecorder;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #queue: WorkQueue;
  readonly #refused = new Map<string, Refused>();

  constructor(parts: {
    readonly client: Client;
    readonly informers: InformerSet;
    readonly events: EventRecorder;
    readonly clock: Clock;
    readonly log: Logger;
  }) {
    this.#client = parts.client;
    this.#informers = parts.informers;
    this.#events = parts.events;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#queue = createWorkQueue({ clock: parts.clock, backoff: { initial: 200, maximum: 30_000 } });
  }

  report(pod: Pod, reason: string, message: string): void {
    this.#events.event(pod, 'Warning', 'FailedScheduling', message);
    this.#refused.set(keyOf(pod), { uid: pod.metadata.uid ?? '', reason, message });
    this.#queue.add(keyOf(pod));
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.process(8, (key) => this.#write(key, signal), signal);
  }

  async #write(key: string, signal: AbortSignal): Promise<void> {
    const refused = this.#refused.get(key);
    const pod = this.#informers.for(pods).get(key);
    this.#refused.delete(key);
    if (refused === undefined || pod === undefined || pod.metadata.uid !== refused.uid || (pod.spec.nodeName ?? '') !== '') return;
    const { reason, message } = refused;
    const present = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (present?.status === 'False' && present.reason === reason && present.message === message) return;
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastTransitionTime: present?.status === 'False' ? (present.lastTransitionTime ?? this.#now()) : this.#now(),
    };
    try {
      const patch = { metadata: { uid: refused.uid }, status: { conditions: [condition] } };
      const { name, namespace = '' } = splitKey(key);
      await this.#client.patch(pods, { name, namespace }, 'strategic', patch, { subresource: 'status' });
      this.#queue.forget(key);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      if (hasReason(error, 'NotFound') || hasReason(error, 'Conflict')) return;
      this.#log.warn('cannot write why a pod is not scheduled, trying again', { pod: key, error: messageOf(error) });
      if (!this.#refused.has(key)) this.#refused.set(key, refused);
      this.#queue.retry(key);
    }
  }

  #now(): string {
    return formatTime(this.#clock.now());
  }
}
