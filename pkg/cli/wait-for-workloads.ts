/** Waits, with a progress table, until the workloads that were applied run; then says what runs, where, and how to reach it. */
import type { KubernetesObject } from '#api/object';
import { formatLabelSelector } from '#api/selector';
import { pods, services } from '#api/shapes/resources';
import type { Pod, Service } from '#api/shapes/types/core-v1';
import { type Connection, pathOf } from './connection.ts';
import { printUnplaced } from './explain-place.ts';
import { containerTroubles, unscheduledMessage } from './pod-trouble.ts';
import { portProblems } from './port-problems.ts';
import type { ProgressRow } from './progress.ts';
import { type OpenPort, type PodLine, printPods, printPorts } from './reachability.ts';
import { readinessKinds } from './readiness/index.ts';
import type { Readiness, ReadinessOf } from './readiness/readiness.ts';
import type { MappedResource } from './resource-mapper.ts';
import { printable } from './text-table.ts';
import { exitCodes, type VerbContext } from './verb.ts';
import { waitUntilWell } from './wait.ts';

export interface AppliedObject {
  readonly resource: MappedResource;
  readonly object: KubernetesObject;
}

interface Workload extends AppliedObject {
  readonly kind: ReadinessOf;
  readonly name: string;
  readonly namespace: string;
}

/**
 * The exit code: 0 when all run, 1 when one failed, time was up or a port could not be opened, 2 when a pod fits on no node. `timeout` in milliseconds;
 * `since`: when they were applied.
 */
export async function waitForWorkloads(
  context: VerbContext,
  connection: Connection,
  applied: readonly AppliedObject[],
  { timeout, since }: { readonly timeout: number; readonly since: number },
): Promise<number> {
  const workloads = applied.flatMap((item): Workload[] => {
    const kind = readinessKinds.find((one) => one.group === item.resource.group && one.kind === item.resource.kind);
    const { name = '', namespace = connection.namespace } = item.object.metadata;
    return kind === undefined ? [] : [{ ...item, kind, namespace, name: `${item.resource.singular}/${name}` }];
  });
  if (workloads.length === 0) return exitCodes.ok;
  let rows: readonly ProgressRow[] = [];
  let members: readonly PodLine[] = [];
  const end = await waitUntilWell(context, timeout, async () => {
    const seen = await Promise.all(
      workloads.map(async (workload) => {
        const object = await connection.json<KubernetesObject>({
          path: pathOf(workload.resource, workload.namespace, workload.object.metadata.name),
        });
        const readiness = workload.kind.judge(object);
        return { workload, readiness, pods: await podsOf(connection, workload, object, readiness) };
      }),
    );
    rows = seen.map(({ workload, readiness }) => progressRow(workload.name, readiness));
    members = seen.flatMap(({ workload, pods: own }) => own.map((pod) => ({ of: workload.name, pod })));
    const verdicts = seen.map(({ readiness }) => readiness.verdict);
    return {
      rows,
      verdict: verdicts.includes('failed') ? 'failed' : verdicts.includes('waiting') ? 'waiting' : 'done',
      pods: members.map(({ pod }) => pod),
    };
  });
  if (end === 'done') {
    context.stdout.write('\n');
    printPods(context, 'Workload', members);
    await printPorts(context, connection, applied.flatMap(openPorts));
    return await reportPorts(context, connection, applied, since);
  }
  for (const row of rows.filter(({ tone }) => tone !== 'good')) {
    context.stderr.write(`${printable(`error: ${row.name} is not ready: ${row.state}${row.message === '' ? '' : `: ${row.message}`}`)}\n`);
    const troubles = members.filter(({ of, pod }) => of === row.name && `pod/${pod.metadata.name}` !== row.name);
    const lines = troubles.flatMap(({ pod }) => containerTroubles(pod).map((text) => `  pod/${pod.metadata.name}: ${text}`));
    for (const line of lines.slice(0, 3)) context.stderr.write(`${printable(line)}\n`);
    context.stderr.write(`  berth describe ${row.name} and berth why ${row.name} say more.\n`);
  }
  const unplaced = members.map(({ pod }) => pod).filter((pod) => unscheduledMessage(pod) !== undefined);
  if (unplaced.length === 0) return exitCodes.error;
  await printUnplaced(context, connection, unplaced);
  return exitCodes.unschedulable;
}

async function reportPorts(
  context: VerbContext,
  connection: Connection,
  applied: readonly AppliedObject[],
  since: number,
): Promise<number> {
  const own = applied.filter(({ object }) => object.kind === services.kind).map(({ object: { metadata } }) => metadata);
  let exitCode: number = exitCodes.ok;
  for (const namespace of new Set(own.map((metadata) => metadata.namespace ?? connection.namespace))) {
    const uids = new Set(own.filter((one) => (one.namespace ?? connection.namespace) === namespace).map(({ uid }) => uid));
    for (const problem of await portProblems(connection, namespace, uids, since)) {
      context.stderr.write(`${printable(`error: ${problem}`)}\n`);
      exitCode = exitCodes.error;
    }
  }
  return exitCode;
}

async function podsOf(
  connection: Connection,
  { namespace }: Workload,
  object: KubernetesObject,
  { selector }: Readiness,
): Promise<readonly Pod[]> {
  if (object.kind === pods.kind) return [object as Pod];
  if (selector === undefined) return [];
  return (await connection.client.list(pods, { namespace, labelSelector: formatLabelSelector(selector) })).items;
}

function progressRow(name: string, { ready, desired, state, verdict, message = '' }: Readiness): ProgressRow {
  const tone = verdict === 'done' ? 'good' : verdict === 'failed' ? 'bad' : 'waiting';
  return { name, ready: `${ready}/${desired}`, state, message, tone };
}

function openPorts({ resource, object }: AppliedObject): OpenPort[] {
  if (resource.group !== '' || resource.kind !== 'Service') return [];
  const { metadata, spec } = object as Service;
  const isPublished = spec.type === 'LoadBalancer';
  return (spec.ports ?? []).flatMap(({ port, nodePort, targetPort, protocol = 'TCP' }): OpenPort[] => {
    const open = isPublished ? port : nodePort;
    return open === undefined ? [] : [{ of: `service/${metadata.name ?? ''}`, port: open, target: targetPort ?? port, protocol }];
  });
}
