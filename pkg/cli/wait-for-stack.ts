/** Waits, with a progress table, until a stack is healthy, cannot become so, or time is up; then says what runs, where, and how to reach it. */
import { nodes, pods, stacks } from '#api/shapes/resources';
import type { Stack, StackServiceStatus } from '#api/shapes/types/compose-v1alpha1';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Connection } from './connection.ts';
import { formatPort } from './describe/stack.ts';
import { type ProgressRow, ProgressTable } from './progress.ts';
import { renderTable } from './text-table.ts';
import { exitCodes, type VerbContext } from './verb.ts';

type Verdict = 'healthy' | 'waiting' | 'failed';

/** The exit code: 0 healthy, 1 failed or out of time, 2 when a pod fits on no node. `timeout` in milliseconds. */
export async function waitForStack(context: VerbContext, connection: Connection, applied: Stack, timeout: number): Promise<number> {
  const key = { name: applied.metadata.name ?? '', namespace: applied.metadata.namespace ?? connection.namespace };
  const progress = new ProgressTable(context);
  const deadline = context.clock.monotonic() + timeout;
  for (;;) {
    const stack = await connection.client.get(stacks, key);
    const current = (stack.status?.observedGeneration ?? 0) >= (applied.metadata.generation ?? 1);
    if (current) progress.show((stack.status?.services ?? []).map(progressRow));
    const verdict = current ? judge(stack) : 'waiting';
    if (verdict === 'healthy') {
      await printReachable(context, connection, stack);
      return exitCodes.ok;
    }
    const late = context.clock.monotonic() > deadline;
    if (verdict === 'failed' || late) return await explainFailure(context, connection, stack, late);
    await context.clock.sleep(250, context.signal);
  }
}

/** `failed` only where the stack's own status says that it will not come right by itself. */
export function judge(stack: Stack): Verdict {
  if (stack.status?.phase === 'Healthy' || stack.status?.phase === 'Running' || stack.status?.phase === 'Completed') return 'healthy';
  return stack.status?.phase === 'Failed' ? 'failed' : 'waiting';
}

function progressRow(service: StackServiceStatus): ProgressRow {
  const done = service.state === 'Completed' || (service.ready >= service.desired && service.state !== 'Updating');
  const bad = service.state === 'Failed' || service.state === 'Unhealthy';
  return {
    name: service.name,
    ready: `${service.ready}/${service.desired}`,
    state: service.state ?? '',
    message: service.message ?? '',
    tone: done ? 'good' : bad ? 'bad' : 'waiting',
  };
}

async function printReachable(context: VerbContext, connection: Connection, stack: Stack): Promise<void> {
  const members = await podsOf(connection, stack);
  const rows = members.map((pod) => [
    pod.metadata.labels?.['compose.berth.dev/service'] ?? '',
    pod.metadata.name ?? '',
    pod.status?.phase ?? '',
    pod.spec?.nodeName ?? '',
    pod.status?.podIP ?? '',
  ]);
  context.stdout.write(`\nStack ${stack.metadata.name} is healthy.\n\n`);
  for (const line of renderTable({
    headers: ['Service', 'Pod', 'Status', 'Node', 'Address'],
    rows: rows.toSorted((a, b) => (a.join() < b.join() ? -1 : 1)),
  }))
    context.stdout.write(`${line}\n`);
  const published = (stack.status?.services ?? []).flatMap((service) =>
    (service.ports ?? []).filter((port) => port.published !== undefined).map((port) => ({ service: service.name, port })),
  );
  if (published.length === 0) return;
  context.stdout.write('\nPublished on every node:\n');
  for (const { service, port } of published) {
    const url = (port.protocol ?? 'TCP') === 'TCP' ? `   http://${port.hostAddress ?? '127.0.0.1'}:${port.published}` : '';
    context.stdout.write(`  ${service}  ${formatPort(port)}${url}\n`);
  }
}

async function podsOf(connection: Connection, stack: Stack): Promise<readonly Pod[]> {
  return (
    await connection.client.list(pods, {
      namespace: stack.metadata.namespace ?? '',
      labelSelector: `compose.berth.dev/stack=${stack.metadata.name}`,
    })
  ).items;
}

async function explainFailure(context: VerbContext, connection: Connection, stack: Stack, late: boolean): Promise<number> {
  const name = stack.metadata.name ?? '';
  const members = await podsOf(connection, stack);
  const stuck = members.filter((pod) =>
    pod.status?.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.status === 'False'),
  );
  context.stderr.write(late ? `error: stack ${name} is not healthy yet\n` : `error: stack ${name} failed\n`);
  for (const service of stack.status?.services ?? []) {
    if (service.message !== undefined && service.message !== '') context.stderr.write(`  ${service.name}: ${service.message}\n`);
  }
  if ((await connection.client.list(nodes)).items.length === 0)
    context.stderr.write('  There is no node in the cluster: start `berth agent` on a machine.\n');
  if (stuck.length > 0) {
    context.stderr.write(`  berth why pod/${stuck[0]?.metadata.name} says what would help.\n`);
    return exitCodes.unschedulable;
  }
  context.stderr.write(`  berth describe stack ${name}, and berth logs stack/${name}, say more.\n`);
  return exitCodes.error;
}
