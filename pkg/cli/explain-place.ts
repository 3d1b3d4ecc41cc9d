/** Why a pod has no place, node by node, by the scheduler's own plugins. */
import { namespaces, nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { explainPod, type PodExplanation } from '#scheduler/explain';
import type { Connection } from './connection.ts';
import type { VerbContext } from './verb.ts';

export async function explainPlace(connection: Connection, pod: Pod): Promise<PodExplanation> {
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

/** Indented by two blanks. */
export function renderPlaces(explanation: PodExplanation): string[] {
  const lines = explanation.nodes.flatMap((place) => [
    `  ${place.node}${place.fits ? ': fits' : ''}`,
    ...place.refusals.map((refusal) => `    ${refusal.reason}: ${refusal.detail}`),
  ]);
  return explanation.smallestChange === undefined ? lines : [...lines, `  What would help: ${explanation.smallestChange}`];
}

/** On stderr: the first such pod with its reasons, and how many more there are. */
export async function printUnplaced(context: VerbContext, connection: Connection, unplaced: readonly Pod[]): Promise<void> {
  const [first, ...more] = unplaced;
  if (first === undefined) return;
  const explanation = await explainPlace(connection, first);
  const lines = [`pod/${first.metadata.name} fits on no node: ${explanation.summary}`, ...renderPlaces(explanation)];
  if (explanation.nodes.length === 0) lines.push('  There is no node in the cluster: start `berth agent` on a machine.');
  if (more.length > 0) lines.push(`and ${more.length} more: ${more.map(({ metadata }) => `pod/${metadata.name}`).join(', ')}`);
  context.stderr.write(lines.map((line) => `  ${line}\n`).join(''));
}
