/** `berth why`: why a pod is where it is, or does not run: its place, node by node, then what its containers wait for, then its last warnings. */
import { events, namespaces, nodes, persistentVolumeClaims, persistentVolumes, pods, stacks, storageClasses } from '#api/shapes/resources';
import type { ContainerStatus, Pod } from '#api/shapes/types/core-v1';
import { explainPod, type PodExplanation } from '#scheduler/explain';
import { formatAge } from './ages.ts';
import type { Connection } from './connection.ts';
import { lastSeen, sortEvents } from './describe-objects.ts';
import { selectObjects } from './selection.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

/** Exit code 0 when the pod runs or fits, 2 when it fits nowhere, 1 when it has a place and does not run. */
export async function explainWhy(context: VerbContext, connection: Connection, word: string): Promise<number> {
  const [selection] = await selectObjects(connection, [word.includes('/') ? word : `pod/${word}`]);
  const { resource, name = '' } = selection!;
  const members = resource.kind === 'Stack' ? await podsOfStack(connection, name) : undefined;
  if (members === undefined && resource.kind !== 'Pod')
    throw new UsageError(`why explains pods and stacks, not a ${resource.kind}`, 'For example: berth why pod/NAME');
  let exitCode: number = exitCodes.ok;
  for (const [index, pod] of (members ?? [await connection.client.get(pods, { namespace: connection.namespace, name })]).entries()) {
    if (index > 0) context.stdout.write('\n');
    exitCode = Math.max(exitCode, await explainOne(context, connection, pod));
  }
  return exitCode;
}

async function podsOfStack(connection: Connection, name: string): Promise<readonly Pod[]> {
  const stack = await connection.client.get(stacks, { namespace: connection.namespace, name });
  for (const service of stack.status?.services ?? []) {
    if (service.message !== undefined && service.message !== '') throw new UsageError(`service ${service.name}: ${service.message}`);
  }
  return (await connection.client.list(pods, { namespace: connection.namespace, labelSelector: `compose.berth.dev/stack=${name}` })).items;
}

async function explainOne(context: VerbContext, connection: Connection, pod: Pod): Promise<number> {
  const lines: string[] = [];
  let exitCode: number = exitCodes.ok;
  const title = `pod/${pod.metadata.name}`;
  if (pod.spec?.nodeName === undefined || pod.spec.nodeName === '') {
    const explanation = await explainPlace(connection, pod);
    lines.push(`${title} is not placed: ${explanation.summary}`, ...renderPlaces(explanation));
    if (explanation.chosen === undefined) exitCode = exitCodes.unschedulable;
  } else {
    lines.push(`${title} is on node ${pod.spec.nodeName}: ${pod.status?.phase ?? 'Pending'}`);
    const troubles = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].flatMap(trouble);
    for (const condition of pod.status?.conditions ?? []) {
      if (condition.status === 'False' && condition.message !== undefined && condition.message !== '' && pod.status?.phase !== 'Succeeded')
        lines.push(`  ${condition.type}: ${condition.message}`);
    }
    lines.push(...troubles.map((text) => `  ${text}`));
    if (troubles.length > 0 || pod.status?.phase === 'Failed') exitCode = exitCodes.error;
  }
  lines.push(...(await warnings(context, connection, pod)));
  context.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return exitCode;
}

async function explainPlace(connection: Connection, pod: Pod): Promise<PodExplanation> {
  const { client } = connection;
  const [allNodes, allPods, claims, volumes, classes, spaces] = await Promise.all([
    client.list(nodes),
    client.list(pods),
    client.list(persistentVolumeClaims),
    client.list(persistentVolumes),
    client.list(storageClasses),
    client.list(namespaces),
  ]);
  return explainPod(pod, {
    nodes: allNodes.items,
    pods: allPods.items,
    claims: claims.items,
    volumes: volumes.items,
    storageClasses: classes.items,
    namespaces: spaces.items,
  });
}

function renderPlaces(explanation: PodExplanation): string[] {
  const lines = explanation.nodes.flatMap((place) => [
    `  ${place.node}${place.fits ? ': fits' : ''}`,
    ...place.refusals.map((refusal) => `    ${refusal.reason}: ${refusal.detail}`),
  ]);
  return explanation.smallestChange === undefined ? lines : [...lines, `  What would help: ${explanation.smallestChange}`];
}

function trouble(status: ContainerStatus): string[] {
  const { waiting, terminated } = status.state ?? {};
  const last = status.lastState?.terminated;
  if (waiting !== undefined && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
    const before = last === undefined ? '' : `; its last run ended with ${last.exitCode} (${last.reason ?? ''})`;
    return [
      `container ${status.name} waits: ${waiting.reason ?? ''}${waiting.message === undefined ? '' : `: ${waiting.message}`}${before}`,
    ];
  }
  if (terminated !== undefined && terminated.exitCode !== 0)
    return [
      `container ${status.name} ended with ${terminated.exitCode} (${terminated.reason ?? ''})${terminated.message === undefined ? '' : `: ${terminated.message}`}`,
    ];
  if (status.state?.running !== undefined && !status.ready) return [`container ${status.name} runs and is not ready`];
  return [];
}

async function warnings(context: VerbContext, connection: Connection, pod: Pod): Promise<string[]> {
  const { name = '', namespace = 'default', uid = '' } = pod.metadata;
  const found = (
    await connection.client.list(events, { namespace, fieldSelector: `involvedObject.uid=${uid},involvedObject.name=${name},type=Warning` })
  ).items;
  return sortEvents(found)
    .slice(-5)
    .map(
      (event) =>
        `  ${formatAge(lastSeen(event), context.clock)} ago ${event.reason ?? ''}: ${event.message ?? ''}${(event.count ?? 1) > 1 ? ` (x${event.count})` : ''}`,
    );
}
