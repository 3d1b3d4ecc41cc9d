/** What a server may open on this node: logs of its pods, the runtime's streams into them, the agent's own figures. */
import { join } from 'node:path';
import type { Pod } from '#api/shapes/types/core-v1';
import { codeOf, messageOf, StatusError } from '#base/errors';
import type { LogStream } from '#rpc/generated/agent';
import { logPathOf } from './container-config.ts';
import { readLogs } from './logs/read-logs.ts';
import type { NodeContext } from './node-context.ts';
import { newestSandbox } from './plan.ts';
import { allContainersOf, ephemeralContainersOf, historyOf, identityOf } from './pod.ts';
import type { PodWorkers } from './pod-workers.ts';
import type { ContainerStatus, StreamEndpoint } from './runtime/runtime.ts';
import type { Source, StreamOpener } from './session/tunnels.ts';

export interface StreamsOptions {
  readonly node: NodeContext;
  readonly workers: PodWorkers;
  /** The agent's own pages by path. */
  readonly page: (path: string) => Promise<string | undefined>;
}

export function createStreamOpener(options: StreamsOptions): StreamOpener {
  const { node, workers } = options;
  const podOf = (uid: string): Pod => {
    const pod = workers.pod(uid);
    if (pod === undefined) throw new StatusError('NotFound', `pod with uid ${uid} is not on this node`);
    return pod;
  };
  const running = (uid: string, name: string): ContainerStatus => {
    const pod = podOf(uid);
    checkContainer(pod, name);
    const found = historyOf(node.view.pod(uid).containers, name).find(({ state }) => state === 'Running');
    if (found === undefined) throw new StatusError('BadRequest', `container ${name} in pod ${identityOf(pod).name} is not running`);
    return found;
  };
  const upgrade = async (endpoint: Promise<StreamEndpoint>): Promise<Source> => {
    try {
      return { type: 'upgrade', url: (await endpoint).url };
    } catch (error) {
      const reason = codeOf(error) === 'NotFound' ? 'NotFound' : codeOf(error) === 'Unsupported' ? 'BadRequest' : 'ServiceUnavailable';
      throw new StatusError(reason, `the runtime opens no stream: ${messageOf(error)}`);
    }
  };
  return async (target, signal) => {
    switch (target.$case) {
      case 'logs':
        return { type: 'bytes', chunks: openLogs(target.value, podOf(target.value.podUid), options, signal) };
      case 'exec': {
        const { podUid, container, ...streams } = target.value;
        return upgrade(node.runtime.exec(running(podUid, container).id, streams));
      }
      case 'attach': {
        const { podUid, container, stdin, stdout, stderr, tty } = target.value;
        return upgrade(node.runtime.attach(running(podUid, container).id, { stdin, stdout, stderr, tty }));
      }
      case 'portForward': {
        podOf(target.value.podUid);
        const sandbox = newestSandbox(node.view.pod(target.value.podUid).sandboxes);
        if (sandbox?.state !== 'Ready') throw new StatusError('BadRequest', 'the pod is not running');
        return upgrade(node.runtime.portForward(sandbox.id, target.value.ports));
      }
      case 'agentHttp': {
        const page = await options.page(target.value.path);
        if (page === undefined) throw new StatusError('NotFound', `the agent has no page ${target.value.path}`);
        return { type: 'bytes', chunks: once(Buffer.from(page, 'utf8')) };
      }
    }
  };
}

function checkContainer(pod: Pod, name: string): void {
  if (![...allContainersOf(pod), ...ephemeralContainersOf(pod)].some((container) => container.name === name)) {
    throw new StatusError('BadRequest', `container ${name} is not valid for pod ${identityOf(pod).name}`);
  }
}

function openLogs(request: LogStream, pod: Pod, { node, workers }: StreamsOptions, signal: AbortSignal): AsyncIterable<Uint8Array> {
  checkContainer(pod, request.container);
  const { uid, name } = identityOf(pod);
  const begun = historyOf(node.view.pod(uid).containers, request.container).filter(({ state }) => state !== 'Created');
  const run = request.previous ? begun[1] : begun[0];
  if (run === undefined) {
    const status = workers.status(uid);
    const known = [
      ...(status?.initContainerStatuses ?? []),
      ...(status?.containerStatuses ?? []),
      ...(status?.ephemeralContainerStatuses ?? []),
    ].find((one) => one.name === request.container);
    throw new StatusError(
      'BadRequest',
      request.previous
        ? `previous terminated container "${request.container}" in pod "${name}" not found`
        : `container "${request.container}" in pod "${name}" is waiting to start: ${known?.state?.waiting?.reason ?? 'ContainerCreating'}`,
    );
  }
  return readLogs({
    path: join(node.directories.logs(pod), logPathOf(run.name, run.attempt)),
    timestamps: request.timestamps,
    ...(request.tailLines === undefined ? {} : { tailLines: Number(request.tailLines) }),
    ...(request.limitBytes === undefined ? {} : { limitBytes: Number(request.limitBytes) }),
    ...(request.sinceMilliseconds === undefined ? {} : { sinceMilliseconds: Number(request.sinceMilliseconds) }),
    ...(request.follow ? { followUntil: untilEnded(run.id, uid, node, signal) } : {}),
    signal,
  });
}

/** Resolves when the container is no longer running. */
function untilEnded(id: string, uid: string, node: NodeContext, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (changed: string): void => {
      if (changed !== uid) return;
      const run = node.view.container(id);
      if (run !== undefined && (run.state === 'Running' || run.state === 'Unknown')) return;
      stop();
      resolve();
    };
    let stop: () => void = () => undefined;
    stop = node.view.onChange(look);
    signal.addEventListener('abort', () => stop(), { once: true });
    look(uid);
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
