/** Waits, with a progress table, until the deployments and pods that were applied run. */
import type { KubernetesObject } from '#api/object';
import { deployments, pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Connection } from './connection.ts';
import { type ProgressRow, ProgressTable } from './progress.ts';
import { exitCodes, type VerbContext } from './verb.ts';

/** The exit code: 0 when all run, 1 when one failed or time was up, 2 when a pod fits on no node. `timeout` in milliseconds. */
export async function waitForWorkloads(
  context: VerbContext,
  connection: Connection,
  objects: readonly KubernetesObject[],
  timeout: number,
): Promise<number> {
  const watched = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Pod');
  if (watched.length === 0) return exitCodes.ok;
  const progress = new ProgressTable(context);
  const deadline = context.clock.monotonic() + timeout;
  for (;;) {
    const rows = await Promise.all(watched.map((object) => observe(connection, object)));
    progress.show(rows);
    if (rows.every((row) => row.tone === 'good')) return exitCodes.ok;
    const bad = rows.find((row) => row.tone === 'bad');
    if (bad !== undefined || context.clock.monotonic() > deadline) {
      const culprit = bad ?? rows.find((row) => row.tone === 'waiting');
      context.stderr.write(
        `error: ${culprit?.name} is not ready: ${culprit?.state}${culprit?.message === '' ? '' : `: ${culprit?.message}`}\n  berth describe ${culprit?.name} says more.\n`,
      );
      return rows.some((row) => row.state === 'Unschedulable') ? exitCodes.unschedulable : exitCodes.error;
    }
    await context.clock.sleep(250, context.signal);
  }
}

async function observe(connection: Connection, object: KubernetesObject): Promise<ProgressRow> {
  const key = { name: object.metadata.name ?? '', namespace: object.metadata.namespace ?? connection.namespace };
  if (object.kind === 'Pod') return podRow(await connection.client.get(pods, key));
  const { metadata, spec, status } = await connection.client.get(deployments, key);
  const desired = spec?.replicas ?? 1;
  const current = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 1);
  const ready = current ? Math.min(status?.updatedReplicas ?? 0, status?.availableReplicas ?? 0) : 0;
  const complete = current && ready >= desired && (status?.replicas ?? 0) === desired;
  const failed = status?.conditions?.find((condition) => condition.type === 'Progressing' && condition.status === 'False');
  return {
    name: `deployment/${key.name}`,
    ready: `${ready}/${desired}`,
    state: complete ? 'Available' : failed === undefined ? 'Progressing' : (failed.reason ?? 'Failed'),
    message: failed?.message ?? '',
    tone: complete ? 'good' : failed === undefined ? 'waiting' : 'bad',
  };
}

function podRow(pod: Pod): ProgressRow {
  const name = `pod/${pod.metadata.name}`;
  const condition = (type: string) => pod.status?.conditions?.find((candidate) => candidate.type === type);
  const ready = condition('Ready')?.status === 'True';
  const phase = pod.status?.phase ?? 'Pending';
  const unscheduled = condition('PodScheduled');
  const waiting = pod.status?.containerStatuses?.find((status) => status.state?.waiting?.reason !== undefined)?.state?.waiting;
  const state = unscheduled?.status === 'False' ? (unscheduled.reason ?? phase) : (waiting?.reason ?? phase);
  const tone = ready || phase === 'Succeeded' ? 'good' : phase === 'Failed' ? 'bad' : 'waiting';
  return {
    name,
    ready: ready ? '1/1' : '0/1',
    state,
    message: (unscheduled?.status === 'False' ? unscheduled.message : waiting?.message) ?? '',
    tone,
  };
}
