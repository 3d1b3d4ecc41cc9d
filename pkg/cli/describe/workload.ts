import type { Deployment, ReplicaSet } from '#api/shapes/types/apps-v1';
import type { PodTemplateSpec } from '#api/shapes/types/core-v1';
import type { LabelSelector } from '#api/shapes/types/meta-v1';
import { describeContainers } from './containers.ts';
import { defineDescriber } from './describer.ts';
import { type Line, renderMap } from './sections.ts';

export const deploymentDescriber = defineDescriber<Deployment>('apps', 'Deployment', ({ spec, status }): readonly Line[] => [
  ['Selector', renderSelector(spec?.selector)],
  [
    'Replicas',
    `${spec?.replicas ?? 1} desired | ${status?.updatedReplicas ?? 0} updated | ${status?.replicas ?? 0} total | ${status?.availableReplicas ?? 0} available | ${status?.unavailableReplicas ?? 0} unavailable`,
  ],
  ['StrategyType', spec?.strategy?.type],
  [
    'RollingUpdateStrategy',
    spec?.strategy?.rollingUpdate === undefined
      ? undefined
      : `${spec.strategy.rollingUpdate.maxUnavailable ?? ''} max unavailable, ${spec.strategy.rollingUpdate.maxSurge ?? ''} max surge`,
  ],
  ['MinReadySeconds', spec?.minReadySeconds ?? 0],
  ['Paused', spec?.paused],
  ['Pod Template', describeTemplate(spec?.template)],
  [
    'Conditions',
    (status?.conditions ?? []).map(
      (condition): Line => [condition.type, `${condition.status} ${condition.reason ?? ''}: ${condition.message ?? ''}`],
    ),
  ],
]);

export const replicaSetDescriber = defineDescriber<ReplicaSet>('apps', 'ReplicaSet', ({ metadata, spec, status }): readonly Line[] => [
  ['Selector', renderSelector(spec?.selector)],
  ['Controlled By', metadata.ownerReferences?.filter((owner) => owner.controller).map((owner) => `${owner.kind}/${owner.name}`)[0]],
  ['Replicas', `${status?.replicas ?? 0} current / ${spec?.replicas ?? 1} desired`],
  ['Pods Status', `${status?.readyReplicas ?? 0} ready, ${status?.availableReplicas ?? 0} available`],
  ['Pod Template', describeTemplate(spec?.template)],
]);

function describeTemplate(template: PodTemplateSpec | undefined): Line[] {
  return [
    ['Labels', renderMap(template?.metadata?.labels)],
    ['Containers', describeContainers(template?.spec?.containers ?? [])],
  ];
}

function renderSelector(selector: LabelSelector | undefined): string {
  const expressions = (selector?.matchExpressions ?? []).map(
    ({ key, operator, values }) => `${key} ${operator} (${(values ?? []).join(',')})`,
  );
  return [...Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`), ...expressions].join(',') || '<none>';
}
