/** The ReplicaSets of a Deployment as its revisions: which is the current one, how they are numbered, and what is written on them. */
import { deepEqual } from '#api/equality';
import { shortHash } from '#api/hash';
import { deployments } from '#api/shapes/resources';
import type { Deployment, ReplicaSet } from '#api/shapes/types/apps-v1';
import type { PodTemplateSpec } from '#api/shapes/types/core-v1';
import type { Draft } from '#client/client';
import { byAge, controllerReference } from '../owner.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
const historyAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';
const templateHashLabel = 'pod-template-hash';

/** What belongs to the ReplicaSet alone and is not copied from the Deployment. */
const ownAnnotations: ReadonlySet<string> = new Set([
  revisionAnnotation,
  historyAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
]);

/** The oldest ReplicaSet whose template is the Deployment's, apart from the hash label. */
export function currentOf(deployment: Deployment, owned: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = withoutHash(deployment.spec.template);
  return owned.toSorted(byAge).find(({ spec }) => spec.template !== undefined && deepEqual(withoutHash(spec.template), wanted));
}

function withoutHash(template: PodTemplateSpec): unknown {
  const { metadata = {}, spec } = template;
  const { [templateHashLabel]: _hash, ...labels } = metadata.labels ?? {};
  const { creationTimestamp: _time, labels: _labels, ...rest } = metadata;
  return { metadata: Object.keys(labels).length === 0 ? rest : { ...rest, labels }, spec };
}

export function revisionOf(replicaSet: ReplicaSet): number {
  const revision = Number(replicaSet.metadata.annotations?.[revisionAnnotation]);
  return Number.isInteger(revision) ? revision : 0;
}

/** The annotations that a ReplicaSet should have as the current one, one revision above all others. */
export function annotationsOfCurrent(
  deployment: Deployment,
  present: Readonly<Record<string, string>>,
  others: readonly ReplicaSet[],
  sizes: { readonly desired: number; readonly most: number },
): Record<string, string> {
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !ownAnnotations.has(key));
  const annotations: Record<string, string> = { ...present, ...Object.fromEntries(copied) };
  const highest = others.reduce((most, replicaSet) => Math.max(most, revisionOf(replicaSet)), 0);
  const before = Number(present[revisionAnnotation] ?? 0);
  if (before <= highest) {
    annotations[revisionAnnotation] = String(highest + 1);
    if (before > 0) {
      const history = present[historyAnnotation];
      annotations[historyAnnotation] = history === undefined ? String(before) : `${history},${before}`;
    }
  }
  annotations[desiredReplicasAnnotation] = String(sizes.desired);
  annotations[maxReplicasAnnotation] = String(sizes.most);
  return annotations;
}

/** The ReplicaSet for the Deployment's template as it is now. */
export function newReplicaSet(
  deployment: Deployment,
  replicas: number,
  others: readonly ReplicaSet[],
  sizes: { readonly desired: number; readonly most: number },
): Draft<ReplicaSet> & { metadata: { name: string } } {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = shortHash(template, String(deployment.status?.collisionCount ?? 0));
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash };
  return {
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: annotationsOfCurrent(deployment, {}, others, sizes),
      ownerReferences: [controllerReference(deployment, deployments)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** Old ReplicaSets beyond the history that is kept, the lowest revisions first; one that has pods, or is not observed, stays. */
export function beyondHistory(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const kept = old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return kept
    .toSorted((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b))
    .slice(0, Math.max(0, kept.length - limit))
    .filter(
      ({ spec, status, metadata }) =>
        spec.replicas === 0 && (status?.replicas ?? 0) === 0 && (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0),
    );
}
