import type { Stack, StackPortStatus } from '#api/shapes/types/compose-v1alpha1';
import { renderTable } from '../text-table.ts';
import { defineDescriber } from './describer.ts';
import { indentTable, type Line } from './sections.ts';

export const stackDescriber = defineDescriber<Stack>('compose.berth.dev', 'Stack', ({ status }): readonly Line[] => [
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
]);

/** `8080->80/tcp`, as Docker shows ports. */
export function formatPort(port: StackPortStatus): string {
  const target = `${port.target}/${(port.protocol ?? 'TCP').toLowerCase()}`;
  return port.published === undefined
    ? target
    : `${port.hostAddress === undefined ? '' : `${port.hostAddress}:`}${port.published}->${target}`;
}
