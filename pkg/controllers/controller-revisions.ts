/**
 * The history of a template as ControllerRevisions, which `kubectl rollout history` and `undo` read: one for each template that was, numbered, named by
 * its hash. Whoever rolls pods knows by the label which of them are of the current one.
 */
import { deepEqual } from '#api/equality';
import { shortHash } from '#api/hash';
import type { KubernetesObject, ResourceType } from '#api/object';
import { controllerRevisions } from '#api/shapes/resources';
import type { ControllerRevision } from '#api/shapes/types/apps-v1';
import type { PodTemplateSpec } from '#api/shapes/types/core-v1';
import { hasReason } from '#base/errors';
import type { Draft } from '#client/client';
import type { ReconcileContext } from './controller.ts';
import { controllerReference, isControlledBy } from './owner.ts';

/** On revisions and on pods. */
export const revisionHashLabel = 'controller-revision-hash';

interface Revisioned extends KubernetesObject {
  readonly spec: { readonly template: PodTemplateSpec; readonly revisionHistoryLimit?: number };
}

export interface RevisionPlan {
  readonly current: Draft<ControllerRevision> & { metadata: { name: string } };
  /** Whether the current one is to be made, to be given a new number, or is there as it should be. */
  readonly action: 'create' | 'renumber' | 'none';
  /** Beyond the history that is kept; those in use stay. */
  readonly remove: readonly ControllerRevision[];
}

/** What stands in a revision: a strategic patch that brings the template back. */
function dataOf(object: Revisioned): unknown {
  return { spec: { template: { ...object.spec.template, $patch: 'replace' } } };
}

/** Pure. `inUse`: the hashes that pods still have. */
export function planRevisions(
  object: Revisioned,
  resource: ResourceType,
  owned: readonly ControllerRevision[],
  inUse: ReadonlySet<string>,
  collisionCount: number,
): RevisionPlan {
  const data = dataOf(object);
  const highest = owned.reduce((most, { revision }) => Math.max(most, revision), 0);
  const present = owned.find((revision) => deepEqual(revision.data, data));
  const hash = present?.metadata.labels?.[revisionHashLabel] ?? shortHash(object.spec.template, String(collisionCount));
  const current = present ?? newRevision(object, resource, data, hash, highest + 1);
  const { name = '' } = current.metadata;
  const old = owned
    .filter((revision) => revision !== present && !inUse.has(revision.metadata.labels?.[revisionHashLabel] ?? ''))
    .toSorted((a, b) => a.revision - b.revision);
  return {
    current: {
      ...current,
      metadata: { ...current.metadata, name },
      revision: present !== undefined && present.revision < highest ? highest + 1 : current.revision,
    },
    action: present === undefined ? 'create' : present.revision < highest ? 'renumber' : 'none',
    remove: old.slice(0, Math.max(0, old.length - (object.spec.revisionHistoryLimit ?? 10))),
  };
}

function newRevision(object: Revisioned, resource: ResourceType, data: unknown, hash: string, revision: number): Draft<ControllerRevision> {
  return {
    metadata: {
      name: `${object.metadata.name}-${hash}`,
      namespace: object.metadata.namespace ?? '',
      labels: { ...object.spec.template.metadata?.labels, [revisionHashLabel]: hash },
      annotations: { ...object.metadata.annotations },
      ownerReferences: [controllerReference(object, resource)],
    },
    data,
    revision,
  };
}

/** Carries the plan out; gives the current hash, or undefined when its name is another's and the next must have another hash. */
export async function keepRevisions(object: Revisioned, plan: RevisionPlan, { client }: ReconcileContext): Promise<string | undefined> {
  const { name, namespace = '' } = plan.current.metadata;
  if (plan.action === 'create') {
    try {
      await client.create(controllerRevisions, plan.current);
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      const present = await client.get(controllerRevisions, { namespace, name });
      if (!isControlledBy(present, object) || !deepEqual(present.data, plan.current.data)) return undefined;
    }
  } else if (plan.action === 'renumber') {
    await client.patch(controllerRevisions, { namespace, name }, 'merge', { revision: plan.current.revision });
  }
  for (const revision of plan.remove) {
    const key = { namespace, name: revision.metadata.name ?? '' };
    await client.delete(controllerRevisions, key).catch((error: unknown) => {
      if (!hasReason(error, 'NotFound')) throw error;
    });
  }
  return plan.current.metadata.labels?.[revisionHashLabel];
}
