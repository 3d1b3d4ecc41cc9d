/**
 * Carries out one planned step of one pod. What goes wrong in a way that the pod's owner should know of becomes a failure in the memory, an event,
 * and a time to try again; anything else is thrown, and the worker tries again.
 */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Container, EphemeralContainer, Pod } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import { codeOf, messageOf } from '#base/errors';
import { containerConfig, dnsOf, hostsFile, logPathOf, sandboxConfig } from './container-config.ts';
import { ContainerConfigError, containerEnvironment, type EnvironmentSources, linkedServices } from './environment.ts';
import { runHandler } from './lifecycle-handlers.ts';
import { logFilesOf } from './logs/read-logs.ts';
import type { NodeContext } from './node-context.ts';
import { type Failure, type ImageState, newestSandbox, type Step, type StopTarget } from './plan.ts';
import { allContainersOf, gracePeriodOf, identityOf } from './pod.ts';
import type { RuntimeMount, SandboxConfig } from './runtime/runtime.ts';
import { terminationFileOf } from './termination-messages.ts';
import { containerMounts, removePodDirectory, setUpVolumes, takeDownVolumes } from './volumes/pod-volumes.ts';
import { type MountedVolume, VolumeError } from './volumes/volume-plugin.ts';

/** What a worker remembers of its pod between steps; all of it can be lost and found again. */
export interface PodMemory {
  volumes: 'Unmounted' | 'Mounted' | Failure;
  mounted: ReadonlyMap<string, MountedVolume>;
  sandboxFailure: Failure | undefined;
  /** By container name. */
  readonly images: Map<string, ImageState>;
  readonly failures: Map<string, Failure>;
  /** Failures in a row, by what failed. */
  readonly counts: Map<string, number>;
  /** Ids of containers that have been told to stop: their hooks have run. */
  readonly stopping: Set<string>;
  /** Ids of containers whose `postStart` is not over. */
  readonly starting: Set<string>;
  /** Whether anything is left on disk or as a cgroup. */
  remains: boolean;
}

export function emptyMemory(): PodMemory {
  return {
    volumes: 'Unmounted',
    mounted: new Map(),
    sandboxFailure: undefined,
    images: new Map(),
    failures: new Map(),
    counts: new Map(),
    stopping: new Set(),
    starting: new Set(),
    remains: true,
  };
}

export interface StepContext {
  readonly pod: Pod;
  readonly memory: PodMemory;
  readonly node: NodeContext;
  /** Wakes the worker. */
  readonly changed: () => void;
  /** Aborts when the step is no longer wanted (the pod is to go, or to go sooner). */
  readonly signal: AbortSignal;
}

type StepOf<T extends Step['type']> = Extract<Step, { type: T }>;
export type ActiveStep = Exclude<Step, { type: 'Wait' | 'Gone' | 'Finish' }>;

export async function carryOut(step: ActiveStep, context: StepContext): Promise<void> {
  switch (step.type) {
    case 'SetUp':
      return setUp(context);
    case 'RunSandbox':
      return runSandbox(step, context);
    case 'StopSandboxes':
      return stopSandboxes(step.ids, context);
    case 'EnsureImage':
      return ensureImage(step, context);
    case 'StartContainer':
      return startContainer(step, context);
    case 'StopContainers':
      return stopContainers(step, context);
    case 'Remove':
      return remove(step, context);
    case 'Release':
      return release(step, context);
    case 'TearDown':
      return tearDown(context);
  }
}

const sandboxBackoff = { initial: 1000, maximum: 60_000 };
const volumeBackoff = { initial: 500, maximum: 120_000 };
const containerBackoff = { initial: 10_000, maximum: 300_000 };

function failure(
  context: StepContext,
  what: string,
  backoff: { initial: number; maximum: number },
  reason: string,
  message: string,
): Failure {
  const { counts } = context.memory;
  const count = counts.get(what) ?? 0;
  counts.set(what, count + 1);
  return { reason, message, retryAt: context.node.clock.now() + backoffDelay(backoff, count) };
}

async function setUp(context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  memory.remains = true;
  try {
    await mkdir(node.directories.pod(identityOf(pod).uid), { recursive: true, mode: 0o750 });
    await mkdir(node.directories.logs(pod), { recursive: true, mode: 0o755 });
    await node.cgroups.create(pod);
    memory.mounted = await setUpVolumes(volumeOptions(context));
    memory.volumes = 'Mounted';
    memory.counts.delete('volumes');
  } catch (error) {
    memory.volumes = failure(context, 'volumes', volumeBackoff, 'FailedMount', messageOf(error));
    const reason = codeOf(error) === undefined && error instanceof VolumeError ? 'FailedMount' : 'FailedPodSetUp';
    node.events.record({ pod }, 'Warning', reason, messageOf(error));
  }
}

/** Brings volumes that follow objects up to date; what fails is told and leaves the old content. Returns whether nothing failed. */
export async function refreshVolumes(context: StepContext): Promise<boolean> {
  try {
    await setUpVolumes(volumeOptions(context), 'live');
    return true;
  } catch (error) {
    context.node.events.record({ pod: context.pod }, 'Warning', 'FailedMount', messageOf(error));
    return false;
  }
}

function volumeOptions({ pod, node }: StepContext): Parameters<typeof setUpVolumes>[0] {
  return {
    plugins: node.volumePlugins,
    podDirectory: node.directories.pod(identityOf(pod).uid),
    context: {
      pod,
      persistentDirectory: node.directories.persistentVolumes,
      objects: node.objects(identityOf(pod).namespace),
      mounter: node.mounter,
      podAddresses: podAddresses(pod, node),
      hostAddresses: node.node.addresses(),
      allocatable: node.node.allocatable(),
    },
  };
}

function podAddresses(pod: Pod, node: NodeContext): readonly string[] {
  if (pod.spec.hostNetwork === true) return node.node.addresses().slice(0, 1);
  return newestSandbox(node.view.pod(identityOf(pod).uid).sandboxes)?.addresses ?? [];
}

function sandboxConfigOf({ pod, node }: StepContext, attempt: number): SandboxConfig {
  return sandboxConfig({
    pod,
    attempt,
    logDirectory: node.directories.logs(pod),
    cgroupParent: node.cgroups.pathOf(pod),
    dns: dnsOf(pod, node.node.dns()),
  });
}

async function runSandbox(step: StepOf<'RunSandbox'>, context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  const problem = pod.spec.hostNetwork === true ? undefined : node.node.networkProblem();
  if (problem !== undefined) {
    memory.sandboxFailure = failure(context, 'network', sandboxBackoff, 'NetworkNotReady', problem);
    node.events.record({ pod }, 'Warning', 'NetworkNotReady', problem);
    return;
  }
  try {
    // Not ended by the step's signal: a sandbox that is half made would have to be found and removed.
    const id = await node.starts.use(
      () => node.runtime.runSandbox(sandboxConfigOf(context, step.attempt), new AbortController().signal),
      context.signal,
    );
    await node.view.refreshSandbox(id);
    memory.sandboxFailure = undefined;
    memory.counts.delete('sandbox');
    memory.counts.delete('network');
    node.metrics.startedPods.inc();
  } catch (error) {
    if (context.signal.aborted) return;
    if (codeOf(error) === 'AlreadyExists') await findSandboxes(context);
    node.metrics.startedPodErrors.inc();
    const message = `Failed to create pod sandbox: ${messageOf(error)}`;
    memory.sandboxFailure = failure(context, 'sandbox', sandboxBackoff, 'FailedCreatePodSandBox', message);
    node.events.record({ pod }, 'Warning', 'FailedCreatePodSandBox', message);
  }
}

/** The runtime has one that the view does not: an agent before this one was ended while it was being made. */
async function findSandboxes({ pod, node }: StepContext): Promise<void> {
  for (const sandbox of await node.runtime.listSandboxes()) {
    if (sandbox.pod.uid === identityOf(pod).uid) await node.view.refreshSandbox(sandbox.id);
  }
}

async function stopSandboxes(ids: readonly string[], { pod, node }: StepContext): Promise<void> {
  const { containers } = node.view.pod(identityOf(pod).uid);
  for (const id of ids) {
    await node.runtime.stopSandbox(id);
    await node.view.refreshSandbox(id);
  }
  for (const container of containers) if (ids.includes(container.sandboxId)) await node.view.refreshContainer(container.id);
}

async function ensureImage({ container }: StepOf<'EnsureImage'>, context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  const objects = node.objects(identityOf(pod).namespace);
  const pullSecrets = (pod.spec.imagePullSecrets ?? []).flatMap(({ name = '' }) => objects.secret(name) ?? []);
  memory.images.set(container.name, await node.images.ensure({ pod, container, pullSecrets, changed: context.changed }));
}

async function startContainer(step: StepOf<'StartContainer'>, context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  const { container } = step;
  const subject = { pod, container: container.name };
  let id: string | undefined;
  try {
    const image = await node.images.status(step.image);
    // Asked for again with the next start: it may have been removed, and `Always` means each start.
    memory.images.delete(container.name);
    if (image === undefined) return;
    const sources = environmentSources(context);
    const environment = containerEnvironment(pod, container, sources);
    const mounts = [...(await containerMounts(pod, container, memory.mounted, environment)), ...(await ownMounts(step, context))];
    await mkdir(dirname(join(node.directories.logs(pod), logPathOf(container.name, step.attempt))), { recursive: true, mode: 0o755 });
    const processTarget = processTargetOf(step, context);
    const config = containerConfig({
      pod,
      container,
      attempt: step.attempt,
      backoffMilliseconds: step.backoffMilliseconds,
      image,
      mounts,
      sources,
      memoryCapacity: node.node.memoryCapacity(),
      ...(processTarget === undefined ? {} : { processTarget }),
    });
    const sandbox = node.view.pod(identityOf(pod).uid).sandboxes.find((candidate) => candidate.id === step.sandboxId);
    await node.starts.use(async () => {
      id = await node.runtime.createContainer(step.sandboxId, config, sandboxConfigOf(context, sandbox?.attempt ?? 0));
      node.events.record(subject, 'Normal', 'Created', `Created container: ${container.name}`);
      memory.starting.add(id);
      await node.runtime.startContainer(id);
    }, context.signal);
    await node.view.refreshContainer(id!);
    node.events.record(subject, 'Normal', 'Started', `Started container ${container.name}`);
    node.metrics.startedContainers.inc();
    memory.failures.delete(container.name);
    memory.counts.delete(container.name);
    await postStart(container, id!, context);
  } catch (error) {
    if (context.signal.aborted && id === undefined) return;
    if (id !== undefined) await node.view.refreshContainer(id);
    const reason = reasonOf(error, id !== undefined);
    const message =
      reason === 'RunContainerError'
        ? `failed to start container "${container.name}": ${messageOf(error)}`
        : reasonInWords(error, container);
    memory.failures.set(container.name, failure(context, container.name, containerBackoff, reason, message));
    node.events.record(subject, 'Warning', 'Failed', `Error: ${message}`);
    node.metrics.startedContainerErrors.inc({ code: reason });
  } finally {
    if (id !== undefined) memory.starting.delete(id);
  }
}

/** The running container whose processes an ephemeral one wants to see. Throws `ContainerConfigError` when it has ended in the meantime. */
function processTargetOf({ container, sandboxId }: StepOf<'StartContainer'>, { pod, node }: StepContext): string | undefined {
  const target = (container as EphemeralContainer).targetContainerName ?? '';
  // Where all processes are seen anyway, there is nothing to aim at.
  if (target === '' || pod.spec.shareProcessNamespace === true || pod.spec.hostPID === true) return undefined;
  const found = node.view
    .pod(identityOf(pod).uid)
    .containers.find(({ name, state, sandboxId: of }) => name === target && state === 'Running' && of === sandboxId);
  if (found === undefined) throw new ContainerConfigError(`container ${target}, the target of ${container.name}, is not running`);
  return found.id;
}

/** The runtime does not say who is missing. */
function reasonInWords(error: unknown, container: Container): string {
  const user = container.berth?.user;
  return user !== undefined && /no users found/.test(messageOf(error))
    ? `the image has no user "${user.split(':')[0]}" in its /etc/passwd: use a number, or a name that is there`
    : messageOf(error);
}

function reasonOf(error: unknown, created: boolean): string {
  if (error instanceof ContainerConfigError || error instanceof VolumeError) return 'CreateContainerConfigError';
  return created ? 'RunContainerError' : 'CreateContainerError';
}

function environmentSources({ pod, node }: StepContext): EnvironmentSources {
  const { namespace } = identityOf(pod);
  const objects = node.objects(namespace);
  return {
    configMap: (name) => objects.configMap(name),
    secret: (name) => objects.secret(name),
    services: linkedServices(node.services(), namespace),
    podAddresses: podAddresses(pod, node),
    hostAddresses: node.node.addresses(),
    allocatable: node.node.allocatable(),
  };
}

/** The termination message's file, and the pod's hosts file unless the container has its own there. */
async function ownMounts({ container, attempt }: StepOf<'StartContainer'>, { pod, node }: StepContext): Promise<RuntimeMount[]> {
  const mounts: RuntimeMount[] = [];
  const directory = node.directories.pod(identityOf(pod).uid);
  const taken = new Set((container.volumeMounts ?? []).map(({ mountPath }) => mountPath));
  const add = (containerPath: string, hostPath: string): void => {
    mounts.push({ containerPath, hostPath, readOnly: false, propagation: 'None' });
  };
  const messagePath = container.terminationMessagePath ?? '/dev/termination-log';
  if (messagePath !== '' && !taken.has(messagePath)) {
    const file = terminationFileOf(directory, container.name, attempt);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, '', { mode: 0o666 });
    add(messagePath, file);
  }
  const onHost = pod.spec.hostNetwork === true;
  if (!taken.has('/etc/hosts') && (!onHost || (pod.spec.hostAliases?.length ?? 0) > 0)) {
    const file = join(directory, 'etc-hosts');
    const base = onHost ? await readFile('/etc/hosts', 'utf8').catch(() => '') : undefined;
    const text = hostsFile(pod, podAddresses(pod, node), node.node.dns().domain, base);
    if (!(await exists(file))) await writeFile(file, text, { mode: 0o644 });
    add('/etc/hosts', file);
  }
  return mounts;
}

async function postStart(container: Container, id: string, context: StepContext): Promise<void> {
  const handler = container.lifecycle?.postStart;
  if (handler === undefined) return;
  const { pod, node } = context;
  try {
    const target = { runtime: node.runtime, container, containerId: id, address: podAddresses(pod, node)[0] ?? '' };
    await runHandler(handler, target, hookTimeout, node.clock, context.signal);
  } catch (error) {
    if (context.signal.aborted) return;
    node.events.record({ pod, container: container.name }, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${messageOf(error)}`);
    await stopContainers(
      { type: 'StopContainers', targets: [{ id, name: container.name, graceSeconds: gracePeriodOf(pod) }], message: 'FailedPostStartHook' },
      context,
    );
  }
}

/** Bounds a `postStart` that never ends; Kubernetes does not, and such a pod can only be deleted. */
const hookTimeout = 3_600_000;
/** After a `preStop` that used up its time, a container still gets this long. */
const minimumGrace = 2;

async function stopContainers(step: StepOf<'StopContainers'>, context: StepContext): Promise<void> {
  const { signal } = context;
  const stops = Promise.all(step.targets.map((target) => stopContainer(target, step.message, context)));
  // A shorter grace asks for the same stops anew; these here end by themselves.
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => resolve();
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', onAbort, { once: true });
    void stops.then(() => resolve(), reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

async function stopContainer(target: StopTarget, message: string, context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  const container = allContainersOf(pod).find(({ name }) => name === target.name);
  let grace = target.graceSeconds;
  if (!memory.stopping.has(target.id)) {
    memory.stopping.add(target.id);
    node.events.record(
      { pod, container: target.name },
      'Normal',
      'Killing',
      message === '' ? `Stopping container ${target.name}` : message,
    );
    const handler = container?.lifecycle?.preStop;
    if (container !== undefined && handler !== undefined && grace > 0) {
      const begun = node.clock.monotonic();
      const hookTarget = { runtime: node.runtime, container, containerId: target.id, address: podAddresses(pod, node)[0] ?? '' };
      await runHandler(handler, hookTarget, grace * 1000, node.clock, context.signal).catch((error: unknown) => {
        if (context.signal.aborted) return;
        node.events.record({ pod, container: target.name }, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${messageOf(error)}`);
      });
      grace = Math.max(minimumGrace, grace - Math.floor((node.clock.monotonic() - begun) / 1000));
    }
  }
  if (context.signal.aborted) return;
  await node.runtime.stopContainer(target.id, grace);
  await untilEnded(target.id, context);
}

/** The runtime may take a moment to show what it has done. */
async function untilEnded(id: string, { node, signal }: StepContext): Promise<void> {
  for (let delay = 5; !signal.aborted && delay < 10_000; delay *= 2) {
    const status = await node.view.refreshContainer(id);
    if (status === undefined || status.state === 'Exited') return;
    await node.clock.sleep(delay, signal).catch(() => undefined);
  }
}

async function remove(step: StepOf<'Remove'>, { pod, node, memory }: StepContext): Promise<void> {
  for (const id of step.containers) {
    const container = node.view.container(id);
    await node.runtime.removeContainer(id);
    await node.view.refreshContainer(id);
    memory.stopping.delete(id);
    if (container !== undefined) await removeLogs(join(node.directories.logs(pod), logPathOf(container.name, container.attempt)));
  }
  for (const id of step.sandboxes) {
    await node.runtime.stopSandbox(id);
    await node.runtime.removeSandbox(id);
    await node.view.refreshSandbox(id);
  }
}

async function removeLogs(path: string): Promise<void> {
  for (const file of await logFilesOf(path)) await rm(file, { force: true });
}

async function release(step: StepOf<'Release'>, context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  await stopSandboxes(step.sandboxes, context);
  const { uid } = identityOf(pod);
  await takeDownVolumes(node.directories.pod(uid), node.mounter);
  await node.cgroups.remove(uid);
  memory.volumes = 'Unmounted';
  memory.mounted = new Map();
}

async function tearDown(context: StepContext): Promise<void> {
  const { pod, memory, node } = context;
  const { uid } = identityOf(pod);
  await findSandboxes(context);
  const { sandboxes, containers } = node.view.pod(uid);
  for (const { id } of sandboxes) await node.runtime.stopSandbox(id);
  for (const { id } of containers) {
    await node.runtime.removeContainer(id);
    await node.view.refreshContainer(id);
  }
  for (const { id } of sandboxes) {
    await node.runtime.removeSandbox(id);
    await node.view.refreshSandbox(id);
  }
  await node.cgroups.remove(uid);
  await removePodDirectory(node.directories.pod(uid), node.mounter);
  await rm(node.directories.logs(pod), { recursive: true, force: true });
  memory.volumes = 'Unmounted';
  memory.remains = false;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
