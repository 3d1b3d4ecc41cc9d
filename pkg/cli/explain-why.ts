/** `berth why`: why a pod is where it is, or does not run: its place, node by node, then what its containers wait for, then its last warnings. */
import { events, services, stacks } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatAge } from './ages.ts';
import type { Connection } from './connection.ts';
import { lastSeen, sortEvents } from './event-order.ts';
import { explainPlace, renderPlaces } from './explain-place.ts';
import { memberPods } from './member-pods.ts';
import { containerTroubles } from './pod-trouble.ts';
import { portProblems } from './port-problems.ts';
import { selectObjects } from './selection.ts';
import { printable } from './text-table.ts';
import { exitCodes, type VerbContext } from './verb.ts';

/** Exit code 0 when the pods run or fit, 2 when one fits nowhere, 1 when one has a place and does not run. */
export async function explainWhy(context: VerbContext, connection: Connection, word: string): Promise<number> {
  const [selection] = await selectObjects(connection, [word.includes('/') ? word : `pod/${word}`]);
  const members = await memberPods(connection, word);
  let exitCode: number =
    selection?.resource.kind === stacks.kind ? await explainStack(context, connection, selection.name ?? '') : exitCodes.ok;
  if (members.length === 0) context.stdout.write(`${word} has no pods.\n`);
  for (const pod of members) exitCode = Math.max(exitCode, await explainOne(context, connection, pod));
  return exitCode;
}

async function explainStack(context: VerbContext, connection: Connection, name: string): Promise<number> {
  const { status } = await connection.client.get(stacks, { namespace: connection.namespace, name });
  const refusal = status?.conditions?.find(({ type, status: value }) => type === 'Accepted' && value === 'False');
  const troubled = (status?.services ?? []).filter(({ message = '' }) => message !== '');
  context.stdout.write(`stack/${name} is ${status?.phase ?? 'Pending'}\n`);
  if (refusal !== undefined) context.stdout.write(`  ${printable(refusal.message)}\n`);
  for (const service of troubled)
    context.stdout.write(`${printable(`  service ${service.name} (${service.state ?? ''}): ${service.message}`)}\n`);
  const own = await connection.client.list(services, { namespace: connection.namespace, labelSelector: `compose.berth.dev/stack=${name}` });
  for (const problem of await portProblems(connection, connection.namespace, new Set(own.items.map(({ metadata }) => metadata.uid)), 0))
    context.stdout.write(`${printable(`  ${problem}`)}\n`);
  return refusal !== undefined || status?.phase === 'Failed' || status?.phase === 'Degraded' ? exitCodes.error : exitCodes.ok;
}

async function explainOne(context: VerbContext, connection: Connection, pod: Pod): Promise<number> {
  const lines: string[] = [];
  let exitCode: number = exitCodes.ok;
  const title = `pod/${pod.metadata.name}`;
  if (pod.spec.nodeName === undefined || pod.spec.nodeName === '') {
    const explanation = await explainPlace(connection, pod);
    lines.push(`${title} is not placed: ${explanation.summary}`, ...renderPlaces(explanation));
    if (explanation.chosen === undefined) exitCode = exitCodes.unschedulable;
  } else {
    lines.push(`${title} is on node ${pod.spec.nodeName}: ${pod.status?.phase ?? 'Pending'}`);
    const troubles = containerTroubles(pod);
    for (const condition of pod.status?.conditions ?? []) {
      if (condition.status === 'False' && (condition.message ?? '') !== '' && pod.status?.phase !== 'Succeeded')
        lines.push(`  ${condition.type}: ${condition.message}`);
    }
    if ((pod.status?.message ?? '') !== '') lines.push(`  ${pod.status?.message}`);
    lines.push(...troubles.map((text) => `  ${text}`));
    if (troubles.length > 0 || pod.status?.phase === 'Failed') exitCode = exitCodes.error;
  }
  lines.push(...(await warnings(context, connection, pod)));
  context.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
  return exitCode;
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
