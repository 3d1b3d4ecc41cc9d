import { targetsOf } from '../autoscaling/targets.ts';
import { validateAutoscalerSpec } from '../autoscaling/validate.ts';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import type { KubernetesObject } from '../object.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import type { HorizontalPodAutoscaler as V1 } from '../shapes/types/autoscaling-v1.ts';
import type { MetricSpec, MetricStatus, HorizontalPodAutoscaler as V2 } from '../shapes/types/autoscaling-v2.ts';
import { statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

/** Where the older version carries what it has no fields for. */
const annotation = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

/** Percent of what is asked for, where no metric is given. */
const defaultUtilization = 80;

/** One stored form, that of v2. */
export const horizontalPodAutoscaler = defineKind<V2>({
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  description: 'How many pods a workload should have, by how busy they are.',
  support: 'stored only',
  supportNote: 'nothing scales by it yet: scale the workload itself',
  subresources: [
    {
      ...statusSubresource<V2>(
        { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' },
        'autoscaling.v2.HorizontalPodAutoscaler',
      ),
      validate: ({ status }) => {
        const errors = new FieldErrors();
        for (const field of ['currentReplicas', 'desiredReplicas'] as const) requireNonNegative(status?.[field], `status.${field}`, errors);
        return errors;
      },
    },
  ],
  versions: [
    { version: 'v2', typeName: 'autoscaling.v2.HorizontalPodAutoscaler' },
    { version: 'v1', typeName: 'autoscaling.v1.HorizontalPodAutoscaler', toStored: (object) => toV2(object as V1), fromStored: toV1 },
  ],
  defaults: ({ spec }) => {
    spec.minReplicas ??= 1;
    if ((spec.metrics ?? []).length === 0) {
      spec.metrics = [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: defaultUtilization } } },
      ];
    }
    if (spec.behavior !== undefined) defaultBehavior(spec.behavior);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateAutoscalerSpec(spec, 'spec', errors);
    return errors;
  },
  columns: tableColumns<V2>([
    nameColumn,
    {
      name: 'Reference',
      type: 'string',
      description: 'What it scales.',
      cell: ({ spec }) => `${spec.scaleTargetRef?.kind ?? ''}/${spec.scaleTargetRef?.name ?? ''}`,
    },
    {
      name: 'Targets',
      type: 'string',
      description: 'What it aims at.',
      cell: targetsOf,
    },
    { name: 'MinPods', type: 'string', description: 'The least.', cell: ({ spec }) => spec.minReplicas ?? '<unset>' },
    { name: 'MaxPods', type: 'string', description: 'The most.', cell: ({ spec }) => spec.maxReplicas },
    { name: 'Replicas', type: 'string', description: 'What there is.', cell: ({ status }) => status?.currentReplicas ?? 0 },
    ageColumn,
  ]),
});

/** Both directions have rules as soon as one has. */
function defaultBehavior(behavior: NonNullable<V2['spec']['behavior']>): void {
  behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...behavior.scaleUp,
  };
  behavior.scaleDown = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }], ...behavior.scaleDown };
}

const isCpu = (metric: { readonly resource?: { readonly name: string } }): boolean => metric.resource?.name === 'cpu';

function toV1(object: V2): KubernetesObject {
  const { metrics = [], behavior, ...spec } = object.spec;
  const { currentMetrics = [], conditions, ...status } = object.status ?? { desiredReplicas: 0 };
  const cpu = metrics.find((metric) => isCpu(metric) && metric.resource?.target.averageUtilization !== undefined);
  const current = currentMetrics.find((metric) => isCpu(metric) && metric.resource?.current.averageUtilization !== undefined);
  const annotations = { ...object.metadata.annotations };
  keep(
    annotations,
    annotation.metrics,
    metrics.filter((metric) => metric !== cpu),
  );
  keep(
    annotations,
    annotation.currentMetrics,
    currentMetrics.filter((metric) => metric !== current),
  );
  keep(annotations, annotation.conditions, conditions ?? []);
  if (behavior !== undefined) annotations[annotation.behavior] = JSON.stringify(behavior);
  const target = cpu?.resource?.target.averageUtilization;
  const reached = current?.resource?.current.averageUtilization;
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(object.metadata, annotations),
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: { ...status, ...(reached === undefined ? {} : { currentCPUUtilizationPercentage: reached }) },
  } as KubernetesObject;
}

function toV2(object: V1): V2 {
  const { targetCPUUtilizationPercentage: target, ...spec } = object.spec;
  const { currentCPUUtilizationPercentage: reached, ...status } = object.status ?? { currentReplicas: 0, desiredReplicas: 0 };
  const annotations = { ...object.metadata.annotations };
  const metrics = take<MetricSpec[]>(annotations, annotation.metrics) ?? [];
  const currentMetrics = take<MetricStatus[]>(annotations, annotation.currentMetrics) ?? [];
  const conditions = take<NonNullable<V2['status']>['conditions']>(annotations, annotation.conditions);
  const behavior = take<NonNullable<V2['spec']['behavior']>>(annotations, annotation.behavior);
  if (target !== undefined)
    metrics.unshift({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } });
  if (reached !== undefined)
    currentMetrics.unshift({ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: reached } } });
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(object.metadata, annotations),
    spec: { ...spec, ...(metrics.length === 0 ? {} : { metrics }), ...(behavior === undefined ? {} : { behavior }) },
    status: { ...status, ...(currentMetrics.length === 0 ? {} : { currentMetrics }), ...(conditions === undefined ? {} : { conditions }) },
  };
}

function withAnnotations(metadata: V2['metadata'], annotations: Record<string, string>): V2['metadata'] {
  const { annotations: _, ...rest } = metadata;
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations };
}

function keep(annotations: Record<string, string>, key: string, list: readonly unknown[]): void {
  if (list.length > 0) annotations[key] = JSON.stringify(list);
}

/** Reads an annotation and takes it away; one that cannot be read stays as it is. */
function take<T>(annotations: Record<string, string>, key: string): T | undefined {
  const text = annotations[key];
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as T;
    delete annotations[key];
    return value;
  } catch {
    return undefined;
  }
}
