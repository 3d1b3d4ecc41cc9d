/**
 * Events of this node's pods: equal ones are counted, not repeated, and each pod's are bounded in rate, so that a pod that fails in a loop
 * costs little. What is recorded is handed to the session, which sends it in batches.
 */
import type { Node, ObjectReference, Pod } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';

export type EventType = 'Normal' | 'Warning';

export interface RecordedEvent {
  readonly involvedObject: ObjectReference;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly firstTime: number;
  readonly lastTime: number;
  /** So many since `firstTime`. */
  readonly count: number;
}

export interface EventSubject {
  readonly pod: Pod;
  /** Makes the event one about this container. */
  readonly container?: string;
}

export interface PodEvents {
  record(subject: EventSubject, type: EventType, reason: string, message: string): void;
  recordNode(node: Pick<Node, 'metadata'>, type: EventType, reason: string, message: string): void;
  /** About any object that the node was assigned, a Service for instance. */
  recordObject(object: ObjectReference, type: EventType, reason: string, message: string): void;
}

export interface EventsOptions {
  readonly clock: Clock;
  readonly publish: (event: RecordedEvent) => void;
}

/** An equal event after this long begins a new count. */
const seriesLength = 600_000;
const maximumSeries = 4096;
/** Tokens of one object: so many at once, then one in so many milliseconds. */
const burst = 25;
const refill = 10_000;

export function createEvents({ clock, publish }: EventsOptions): PodEvents {
  const series = new Map<string, RecordedEvent>();
  const tokens = new Map<string, { left: number; at: number }>();

  const allow = (uid: string, now: number): boolean => {
    const bucket = tokens.get(uid) ?? { left: burst, at: now };
    const gained = Math.floor((now - bucket.at) / refill);
    const left = Math.min(burst, bucket.left + gained);
    tokens.delete(uid);
    tokens.set(uid, { left: Math.max(0, left - 1), at: bucket.at + gained * refill });
    bound(tokens);
    return left > 0;
  };

  const recordObject = (object: ObjectReference, type: EventType, reason: string, message: string): void => {
    const now = clock.now();
    const text = message.length > 1024 ? `${message.slice(0, 1021)}...` : message;
    const key = JSON.stringify([object.uid ?? object.name, object.fieldPath, type, reason, text]);
    const before = series.get(key);
    if (!allow(object.uid ?? object.name ?? '', now)) return;
    const event: RecordedEvent =
      before === undefined || now - before.lastTime > seriesLength
        ? { involvedObject: object, type, reason, message: text, firstTime: now, lastTime: now, count: 1 }
        : { ...before, lastTime: now, count: before.count + 1 };
    series.delete(key);
    series.set(key, event);
    bound(series);
    publish(event);
  };

  return {
    recordObject,
    record: ({ pod, container }, type, reason, message) => recordObject(referenceOf(pod, container), type, reason, message),
    recordNode: (node, type, reason, message) =>
      recordObject({ apiVersion: 'v1', kind: 'Node', name: node.metadata.name ?? '', uid: node.metadata.uid ?? '' }, type, reason, message),
  };
}

function bound(map: Map<string, unknown>): void {
  if (map.size <= maximumSeries) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}

function referenceOf(pod: Pod, container: string | undefined): ObjectReference {
  const init = pod.spec.initContainers?.some(({ name }) => name === container) === true;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    uid: pod.metadata.uid ?? '',
    ...(container === undefined ? {} : { fieldPath: `spec.${init ? 'initContainers' : 'containers'}{${container}}` }),
  };
}
