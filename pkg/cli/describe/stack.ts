import { events, pods, services } from '#api/shapes/resources';
import type { Stack, StackPortStatus } from '#api/shapes/types/compose-v1alpha1';
import { formatAge } from '../ages.ts';
import { lastSeen, sortEvents } from '../event-order.ts';
import { renderTable } from '../text-table.ts';
import { type DescribeContext, defineDescriber } from './describer.ts';
import { indentTable, type Line } from './sections.ts';

export const stackDescriber = defineDescriber<Stack>(
  'compose.berth.dev',
  'Stack',
  async (stack, context): Promise<readonly Line[]> => [...describeStatus(stack), ...(await warningsOf(stack, context))],
);

/** What was warned of its pods and Services. */
async function warningsOf({ metadata }: Stack, { client, clock }: DescribeContext): Promise<readonly Line[]> {
  const { name = '', namespace = '' } = metadata;
  const scope = { namespace, labelSelector: `compose.berth.dev/stack=${name}` };
  const [ownPods, ownServices, warnings] = await Promise.all([
    client.list(pods, scope),
    client.list(services, scope),
    client.list(events, { namespace, fieldSelector: 'type=Warning' }),
  ]);
  const own = new Set([...ownPods.items, ...ownServices.items].map(({ metadata: { uid } }) => uid));
  const rows = sortEvents(warnings.items.filter(({ involvedObject }) => own.has(involvedObject.uid))).slice(-10);
  if (rows.length === 0) return [];
  const cells = rows.map((event) => [
    `${event.involvedObject.kind}/${event.involvedObject.name}`.toLowerCase(),
    event.reason ?? '',
    formatAge(lastSeen(event), clock),
    event.message ?? '',
  ]);
  return ['Warnings:', ...indentTable(renderTable({ headers: ['Object', 'Reason', 'Age', 'Message'], rows: cells }))];
}

const describeStatus = ({ status }: Stack): readonly Line[] => [
  ['Status', status?.phase ?? 'Pending'],
  'Services:',
  ...indentTable(
    renderTable({
      headers: ['Name', 'Ready', 'State', 'Ports', 'Endpoints', 'Message'],
      rows: (status?.services ?? []).map((service) => [
        service.name,
        `${service.state === 'Completed' ? service.desired : service.ready}/${service.desired}`,
        service.state ?? '',
        (service.ports ?? []).map(formatPort).join(', '),
        (service.endpoints ?? []).join(', '),
        service.message ?? '',
      ]),
    }),
  ),
  [
    'Conditions',
    (status?.conditions ?? []).map((condition): Line => [condition.type, `${condition.status} ${condition.reason}: ${condition.message}`]),
  ],
];

/** `8080->80/tcp`, as Docker shows ports. */
export function formatPort(port: StackPortStatus): string {
  const target = `${port.target}/${(port.protocol ?? 'TCP').toLowerCase()}`;
  return port.published === undefined
    ? target
    : `${port.hostAddress === undefined ? '' : `${port.hostAddress}:`}${port.published}->${target}`;
}
