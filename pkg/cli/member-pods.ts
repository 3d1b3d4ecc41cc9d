/** The pods that a word of the command line means: itself, those of a stack or of one of its services, or those that a workload selects. */
import type { KubernetesObject } from '#api/object';
import { formatLabelSelector } from '#api/selector';
import { pods, stacks } from '#api/shapes/resources';
import type { Stack } from '#api/shapes/types/compose-v1alpha1';
import type { Pod } from '#api/shapes/types/core-v1';
import type { LabelSelector } from '#api/shapes/types/meta-v1';
import { type Connection, pathOf } from './connection.ts';
import { selectObjects } from './selection.ts';
import { UsageError } from './verb.ts';

/** `word` is `NAME` (a pod), `pod/NAME`, `stack/NAME` or `TYPE/NAME` of a workload; `service` narrows a stack. In order of their names. */
export async function memberPods(connection: Connection, word: string, service?: string): Promise<readonly Pod[]> {
  const { client, namespace } = connection;
  const [selection] = await selectObjects(connection, [word.includes('/') ? word : `pod/${word}`]);
  const { resource, name = '' } = selection!;
  if (service !== undefined && resource.kind !== stacks.kind)
    throw new UsageError('--service is for stacks', 'For example: berth logs stack/hello --service web');
  if (resource.kind === pods.kind && resource.group === '') return [await client.get(pods, { namespace, name })];
  if (resource.kind === stacks.kind && resource.group === stacks.group) {
    const stack = await client.get(stacks, { namespace, name });
    if (service !== undefined) checkService(stack, service);
    const labels = [`compose.berth.dev/stack=${name}`, ...(service === undefined ? [] : [`compose.berth.dev/service=${service}`])];
    return inOrder((await client.list(pods, { namespace, labelSelector: labels.join(',') })).items);
  }
  const object = await connection.json<KubernetesObject & { spec?: { selector?: LabelSelector } }>({
    path: pathOf(resource, namespace, name),
  });
  const selector = object.spec?.selector;
  if (selector?.matchLabels === undefined && selector?.matchExpressions === undefined)
    throw new UsageError(`a ${resource.kind} has no pods`, 'Name a pod, a stack, or a workload such as deployment/NAME.');
  return inOrder((await client.list(pods, { namespace, labelSelector: formatLabelSelector(selector) })).items);
}

function checkService(stack: Stack, service: string): void {
  const services = Object.keys(stack.spec.services ?? {});
  if (!services.includes(service))
    throw new UsageError(`stack "${stack.metadata.name}" has no service "${service}"`, `It has: ${services.join(', ')}`);
}

function inOrder(list: readonly Pod[]): readonly Pod[] {
  return list.toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}
