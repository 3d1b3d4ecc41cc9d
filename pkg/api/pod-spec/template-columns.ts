/** The wide columns that all workloads have: containers, images, selector. */
import type { KubernetesObject } from '../object.ts';
import { formatLabelSelector } from '../selector.ts';
import type { PodTemplateSpec } from '../shapes/types/core-v1.ts';
import type { LabelSelector } from '../shapes/types/meta-v1.ts';
import { type FilledColumn, wide } from '../table-columns.ts';

interface Workload extends KubernetesObject {
  readonly spec: { readonly template: PodTemplateSpec; readonly selector?: LabelSelector };
}

export const templateColumns: readonly FilledColumn<Workload>[] = [
  wide({
    name: 'Containers',
    type: 'string',
    description: 'Names of the containers.',
    cell: ({ spec }) => (spec.template.spec.containers ?? []).map((container) => container.name).join(','),
  }),
  wide({
    name: 'Images',
    type: 'string',
    description: 'Images of the containers.',
    cell: ({ spec }) => (spec.template.spec.containers ?? []).map((container) => container.image ?? '').join(','),
  }),
  wide({
    name: 'Selector',
    type: 'string',
    description: 'Which pods belong to it.',
    cell: ({ spec }) => formatLabelSelector(spec.selector) || '<none>',
  }),
];
