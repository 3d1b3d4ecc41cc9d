/**
 * One subscription to what a runtime reports: containerd's own events (in every version, and with out-of-memory), or CRI's where the
 * runtime is another. Gives raw reports; whose they are, and what they mean, the driver decides.
 */
import { randomUUID } from 'node:crypto';
import type { ClientReadableStream } from '@grpc/grpc-js';
import type { Clock } from '#base/clock';
import { type CriChannel, call, containerdMetadata, toRuntimeError } from './channel.ts';
import { type Envelope, TaskExit, TaskOOM, TaskStart } from './generated/containerd-events.ts';
import { ContainerEventType } from './generated/runtime.ts';

/** `id` is a container's or a sandbox's: both are tasks. `Subscribed`: everything from here on will be told. */
export type Report = { readonly type: 'Subscribed' } | { readonly type: 'Started' | 'Exited' | 'OutOfMemory'; readonly id: string };

/** Ends with the connection (throws `RuntimeError`) or with the signal (returns). */
export async function* containerdReports(channel: CriChannel, clock: Clock, signal: AbortSignal): AsyncGenerator<Report> {
  const probe = `/berth/subscribed/${randomUUID()}`;
  const topics = ['/tasks/exit', '/tasks/oom', '/tasks/start', probe];
  const stream = channel.events.subscribe({ filters: topics.map((topic) => `namespace==k8s.io,topic=="${topic}"`) }, containerdMetadata());
  const stop = new AbortController();
  const probing = publishUntil(channel, clock, probe, AbortSignal.any([signal, stop.signal]));
  // When publishing fails the stream fails as well, and that is what counts.
  probing.catch(() => undefined);
  let subscribed = false;
  try {
    for await (const envelope of messages(stream, signal)) {
      if (envelope.topic === probe) {
        stop.abort();
        if (!subscribed) yield { type: 'Subscribed' };
        subscribed = true;
        continue;
      }
      const report = decode(envelope);
      if (report !== undefined) yield report;
    }
  } finally {
    stop.abort();
    stream.cancel();
  }
}

/** A subscription has no acknowledgement, so an event of our own is sent until it comes back. */
async function publishUntil(channel: CriChannel, clock: Clock, topic: string, signal: AbortSignal): Promise<void> {
  const publish = channel.events.publish.bind(channel.events);
  const event = { typeUrl: 'berth.dev/subscribed', value: Buffer.alloc(0) };
  while (!signal.aborted) {
    await call(publish, { topic, event }, { metadata: containerdMetadata(), deadline: 5_000, signal });
    await clock.sleep(50, signal);
  }
}

function decode(envelope: Envelope): Report | undefined {
  const value = envelope.event?.value;
  if (value === undefined) return undefined;
  switch (envelope.topic) {
    case '/tasks/exit': {
      const exit = TaskExit.decode(value);
      // Another id is that of a process that was executed in the container.
      return exit.id === exit.containerId ? { type: 'Exited', id: exit.containerId } : undefined;
    }
    case '/tasks/oom':
      return { type: 'OutOfMemory', id: TaskOOM.decode(value).containerId };
    case '/tasks/start':
      return { type: 'Started', id: TaskStart.decode(value).containerId };
    default:
      return undefined;
  }
}

/** CRI's own events, for runtimes that are not containerd. */
export async function* criReports(channel: CriChannel, signal: AbortSignal): AsyncGenerator<Report> {
  const stream = channel.runtime.getContainerEvents({});
  try {
    // CRI has no acknowledgement either; one answered call later the subscription is there in all practice.
    await call(channel.runtime.version.bind(channel.runtime), { version: 'v1' }, { deadline: 5_000, signal });
    yield { type: 'Subscribed' };
    for await (const event of messages(stream, signal)) {
      if (event.containerEventType === ContainerEventType.CONTAINER_STARTED_EVENT) yield { type: 'Started', id: event.containerId };
      if (event.containerEventType === ContainerEventType.CONTAINER_STOPPED_EVENT) yield { type: 'Exited', id: event.containerId };
    }
  } finally {
    stream.cancel();
  }
}

async function* messages<Message>(stream: ClientReadableStream<Message>, signal: AbortSignal): AsyncGenerator<Message> {
  const cancel = (): void => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) stream.cancel();
  // A stream that is cancelled before it is read, or after, still emits its error.
  stream.on('error', () => undefined);
  try {
    for await (const message of stream) yield message as Message;
  } catch (error) {
    if (!signal.aborted) throw toRuntimeError(error);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
