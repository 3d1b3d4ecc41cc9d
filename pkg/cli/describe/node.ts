import { pods } from '#api/shapes/resources';
import type { Node } from '#api/shapes/types/core-v1';
import { renderTable } from '../text-table.ts';
import { defineDescriber } from './describer.ts';
import { indentTable, type Line } from './sections.ts';

export const nodeDescriber = defineDescriber<Node>('', 'Node', async (node, { client }): Promise<readonly Line[]> => {
  const name = node.metadata.name ?? '';
  const running = (await client.list(pods, { fieldSelector: `spec.nodeName=${name},status.phase!=Succeeded,status.phase!=Failed` })).items;
  const info = node.status?.nodeInfo;
  return [
    [
      'Roles',
      Object.keys(node.metadata.labels ?? {})
        .filter((label) => label.startsWith('node-role.kubernetes.io/'))
        .map((label) => label.slice('node-role.kubernetes.io/'.length))
        .join(',') || '<none>',
    ],
    [
      'Taints',
      (node.spec?.taints ?? [])
        .map((taint) => `${taint.key}${taint.value === undefined ? '' : `=${taint.value}`}:${taint.effect}`)
        .join('\n') || '<none>',
    ],
    ['Unschedulable', node.spec?.unschedulable ?? false],
    'Conditions:',
    ...indentTable(
      renderTable({
        headers: ['Type', 'Status', 'Reason', 'Message'],
        rows: (node.status?.conditions ?? []).map((condition) => [
          condition.type,
          condition.status,
          condition.reason ?? '',
          condition.message ?? '',
        ]),
      }),
    ),
    ['Addresses', (node.status?.addresses ?? []).map((address): Line => [address.type, address.address])],
    ['Capacity', Object.entries(node.status?.capacity ?? {}).map(([resource, quantity]): Line => [resource, quantity])],
    ['Allocatable', Object.entries(node.status?.allocatable ?? {}).map(([resource, quantity]): Line => [resource, quantity])],
    ['System Info', info === undefined ? undefined : Object.entries(info).map(([key, value]): Line => [key, String(value)])],
    ['PodCIDR', node.spec?.podCIDR],
    `Non-terminated Pods:  (${running.length} in total)`,
    ...indentTable(
      renderTable({
        headers: ['Namespace', 'Name', 'CPU Requests', 'Memory Requests'],
        rows: running.map((pod) => [
          pod.metadata.namespace ?? '',
          pod.metadata.name ?? '',
          (pod.spec?.containers ?? []).map((container) => String(container.resources?.requests?.cpu ?? 0)).join('+'),
          (pod.spec?.containers ?? []).map((container) => String(container.resources?.requests?.memory ?? 0)).join('+'),
        ]),
      }),
    ),
  ];
});
