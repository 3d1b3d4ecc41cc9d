/** Waits, with a progress table, until a stack is healthy, cannot become so, or time is up; then says what runs, where, and how to reach it. */
import { pods, services, stacks } from '#api/shapes/resources';
import type { Stack, StackServiceStatus } from '#api/shapes/types/compose-v1alpha1';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Connection } from './connection.ts';
import { printUnplaced } from './explain-place.ts';
import { unscheduledMessage } from './pod-trouble.ts';
import { portProblems } from './port-problems.ts';
import type { ProgressRow } from './progress.ts';
import { printPods, printPorts } from './reachability.ts';
import { printable } from './text-table.ts';
import { exitCodes, type VerbContext } from './verb.ts';
import { type WaitEnd, waitUntilWell } from './wait.ts';

/**
 * The exit code: 0 healthy, 1 failed, out of time or not reachable on a published port, 2 when a pod fits on no node. `timeout` in milliseconds; `since`:
 * when it was applied.
 */
export async function waitForStack(
  context: VerbContext,
  connection: Connection,
  applied: Stack,
  { timeout, since }: { readonly timeout: number; readonly since: number },
): Promise<number> {
  const key = { name: applied.metadata.name ?? '', namespace: applied.metadata.namespace ?? connection.namespace };
  let stack = applied;
  let members: readonly Pod[] = [];
  let settlesAt: number | undefined;
  const end = await waitUntilWell(context, timeout, async () => {
    stack = await connection.client.get(stacks, key);
    const isCurrent = (stack.status?.observedGeneration ?? 0) >= (applied.metadata.generation ?? 1);
    const verdict = isCurrent ? judge(stack) : 'waiting';
    if (verdict !== 'failed') members = await podsOf(connection, stack);
    if (verdict === 'done' && members.some((pod) => isYoung(pod, context.clock.now()))) {
      settlesAt ??= context.clock.monotonic() + settleTime;
      if (context.clock.monotonic() < settlesAt)
        return { rows: (stack.status?.services ?? []).map(progressRow), verdict: 'waiting', pods: [] };
    }
    return { rows: isCurrent ? (stack.status?.services ?? []).map(progressRow) : [], verdict, pods: members };
  });
  if (end === 'failed') members = await podsOf(connection, stack);
  if (end !== 'done') return await explainFailure(context, connection, stack, members, end);
  const { services: states = [], phase } = stack.status ?? {};
  context.stdout.write(`\nStack ${key.name} ${phase === 'Completed' ? 'has run to its end' : 'is healthy'}.\n\n`);
  printPods(
    context,
    'Service',
    members.map((pod) => ({ of: serviceOf(pod), pod })),
  );
  const open = states.flatMap(({ name, ports = [] }) =>
    ports.flatMap(({ published, target, protocol = 'TCP', hostAddress }) =>
      published === undefined
        ? []
        : [{ of: name, port: published, target, protocol, ...(hostAddress === undefined ? {} : { address: hostAddress }) }],
    ),
  );
  await printPorts(context, connection, open);
  return await reportPorts(context, connection, key, since);
}

/** Well as its pods may be, a stack is not reached on a port that another has. */
async function reportPorts(
  context: VerbContext,
  connection: Connection,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  since: number,
): Promise<number> {
  const own = await connection.client.list(services, { namespace, labelSelector: `compose.berth.dev/stack=${name}` });
  const problems = await portProblems(connection, namespace, new Set(own.items.map(({ metadata }) => metadata.uid)), since);
  for (const problem of problems) context.stderr.write(`${printable(`error: ${problem}`)}\n`);
  if (problems.length === 0) return exitCodes.ok;
  context.stderr.write('  Publish another port, or free this one: it is tried again every half minute.\n');
  return exitCodes.error;
}

/** What has no health check counts as well once it has run for a moment: a program that cannot work mostly ends at once. */
const settleTime = 2_000;

function isYoung(pod: Pod, now: number): boolean {
  if (pod.spec.containers.some(({ readinessProbe }) => readinessProbe !== undefined)) return false;
  return (pod.status?.containerStatuses ?? []).some(
    ({ state }) => state?.running !== undefined && now - Date.parse(state.running.startedAt ?? '') < settleTime,
  );
}

/** `failed` only where the stack's own status says that it will not come right by itself. */
export function judge(stack: Stack): 'done' | 'waiting' | 'failed' {
  const { phase } = stack.status ?? {};
  if (phase === 'Healthy' || phase === 'Completed') return 'done';
  return phase === 'Failed' ? 'failed' : 'waiting';
}

function progressRow(service: StackServiceStatus): ProgressRow {
  const isBad = service.state === 'Failed' || service.state === 'Unhealthy' || service.state === 'Blocked';
  const isDone = service.state === 'Completed' || service.state === 'Stopped' || service.state === 'Healthy' || service.state === 'Running';
  return {
    name: service.name,
    ready: `${service.state === 'Completed' ? service.desired : service.ready}/${service.desired}`,
    state: service.state ?? '',
    message: service.message ?? '',
    tone: isDone ? 'good' : isBad ? 'bad' : 'waiting',
  };
}

async function podsOf(connection: Connection, stack: Stack): Promise<readonly Pod[]> {
  const { name, namespace = '' } = stack.metadata;
  return (await connection.client.list(pods, { namespace, labelSelector: `compose.berth.dev/stack=${name}` })).items;
}

function serviceOf(pod: Pod): string {
  return pod.metadata.labels?.['compose.berth.dev/service'] ?? '';
}

async function explainFailure(
  context: VerbContext,
  connection: Connection,
  stack: Stack,
  members: readonly Pod[],
  end: Exclude<WaitEnd, 'done'>,
): Promise<number> {
  const { name = '' } = stack.metadata;
  const { services: states = [], conditions = [] } = stack.status ?? {};
  const refusal = conditions.find(({ type, status }) => type === 'Accepted' && status === 'False')?.message;
  context.stderr.write(`error: stack ${name} ${end === 'failed' ? 'failed' : 'is not healthy yet'}\n`);
  if (refusal !== undefined) context.stderr.write(`  ${printable(refusal)}\n`);
  const troubled = states.filter(({ message = '' }) => message !== '');
  for (const service of troubled) context.stderr.write(`${printable(`  ${service.name}: ${service.message}`)}\n`);
  const ended = members.find((pod) => pod.status?.phase === 'Failed' && troubled.some((service) => service.name === serviceOf(pod)));
  if (ended !== undefined) {
    const { name: pod } = ended.metadata;
    context.stderr.write(`  What it wrote: berth logs ${pod}. To run it once more: berth delete pod ${pod}\n`);
  }
  const unplaced = members.filter((pod) => unscheduledMessage(pod) !== undefined);
  if (unplaced.length > 0) {
    await printUnplaced(context, connection, unplaced);
    return exitCodes.unschedulable;
  }
  context.stderr.write(`  berth describe stack ${name}, berth why stack/${name} and berth logs stack/${name} say more.\n`);
  return exitCodes.error;
}
