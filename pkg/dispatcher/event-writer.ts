/**
 * Writes agents' events. An event has one object whose name follows from what it says and since when, so that a report that comes twice, or to
 * another server, counts once: its count is the agent's own, and is set, not added.
 */
import { createHash } from 'node:crypto';
import { events } from '#api/shapes/resources';
import type { Node, ObjectReference } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';

export interface ReportedEvent {
  readonly involvedObject: ObjectReference;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly firstTime: number;
  readonly lastTime: number;
  readonly count: number;
  readonly component: string;
}

export interface EventWriter {
  /** Never rejects: an event that cannot be written is logged and lost. */
  write(nodeName: string, event: ReportedEvent): Promise<void>;
}

const remembered = 8192;

export function createEventWriter(client: Client, log: Logger): EventWriter {
  /** Names that are known to be there. */
  const present = new Map<string, true>();
  const remember = (key: string): void => {
    present.delete(key);
    present.set(key, true);
    if (present.size > remembered) present.delete(present.keys().next().value!);
  };

  const create = async (nodeName: string, namespace: string, name: string, event: ReportedEvent): Promise<void> => {
    await client.create(events, {
      metadata: { name, namespace },
      involvedObject: event.involvedObject,
      type: event.type,
      reason: event.reason,
      message: event.message,
      firstTimestamp: formatTime(event.firstTime),
      lastTimestamp: formatTime(event.lastTime),
      count: event.count,
      source: { component: event.component, host: nodeName },
      reportingComponent: event.component,
      reportingInstance: nodeName,
    });
  };

  const raise = async (namespace: string, name: string, event: ReportedEvent): Promise<void> => {
    await client.patch(events, { name, namespace }, 'merge', { count: event.count, lastTimestamp: formatTime(event.lastTime) });
  };

  return {
    async write(nodeName, event) {
      const namespace =
        event.involvedObject.namespace === undefined || event.involvedObject.namespace === '' ? 'default' : event.involvedObject.namespace;
      const name = nameOf(event);
      const key = `${namespace}/${name}`;
      try {
        if (present.has(key)) {
          try {
            await raise(namespace, name, event);
            remember(key);
            return;
          } catch (error) {
            // It has expired: then it begins anew.
            if (!hasReason(error, 'NotFound')) throw error;
          }
        }
        try {
          await create(nodeName, namespace, name, event);
        } catch (error) {
          if (!hasReason(error, 'AlreadyExists')) throw error;
          await raise(namespace, name, event);
        }
        remember(key);
      } catch (error) {
        // A namespace that is being removed takes no more events.
        log.debug('an event was not written', { event: key, error: messageOf(error) });
      }
    },
  };
}

/** Begins with the time, as Kubernetes' names of events do: tools that sort by whole seconds keep the order of a list among equals. */
function nameOf({ involvedObject, type, reason, message, firstTime, component }: ReportedEvent): string {
  const identity = JSON.stringify([involvedObject.uid, involvedObject.fieldPath, type, reason, message, firstTime, component]);
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 8);
  return `${(involvedObject.name ?? '').slice(0, 230)}.${firstTime.toString(16).padStart(11, '0')}${hash}`;
}

/** An event about the node itself gets its uid, which agents do not know. */
export function withNode(event: ReportedEvent, node: Node | undefined): ReportedEvent {
  if (event.involvedObject.kind !== 'Node' || node === undefined) return event;
  return { ...event, involvedObject: { ...event.involvedObject, uid: node.metadata.uid ?? '' } };
}
