/** Who a pod of a StatefulSet is: its ordinal, its name, and the claims that are its own. Pure. */

import type { OwnerReference } from '#api/object';
import { statefulSets } from '#api/shapes/resources';
import type { StatefulSet } from '#api/shapes/types/apps-v1';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '#api/shapes/types/core-v1';
import type { Draft } from '#client/client';
import { revisionHashLabel } from '../controller-revisions.ts';
import { controllerReference } from '../owner.ts';
import { podFromTemplate } from '../pod-template.ts';

const nameLabel = 'statefulset.kubernetes.io/pod-name';
const indexLabel = 'apps.kubernetes.io/pod-index';

export function podNameOf(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`;
}

/** Undefined for a pod whose name is not one of this set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const { name = '' } = pod.metadata;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(?:0|[1-9]\d{0,8})$/.test(rest) ? Number(rest) : undefined;
}

export function startOf({ spec }: StatefulSet): number {
  return spec.ordinals?.start ?? 0;
}

export function claimNameOf(set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${set.metadata.name}-${ordinal}`;
}

/** Labels by which a pod is known to be who it is. */
export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [nameLabel]: podNameOf(set, ordinal), [indexLabel]: String(ordinal) };
}

export function hasIdentity(set: StatefulSet, pod: Pod, ordinal: number): boolean {
  return Object.entries(identityLabels(set, ordinal)).every(([label, value]) => pod.metadata.labels?.[label] === value);
}

/** The pod of this ordinal by this template, which is that of the named revision. */
export function podOf(
  set: StatefulSet,
  ordinal: number,
  template: PodTemplateSpec,
  revision: string,
): Draft<Pod> & { metadata: { name: string } } {
  const name = podNameOf(set, ordinal);
  const draft = podFromTemplate(set, statefulSets, template, name);
  const { serviceName = '' } = set.spec;
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      name,
      labels: { ...draft.metadata.labels, ...identityLabels(set, ordinal), [revisionHashLabel]: revision },
    },
    spec: {
      ...draft.spec,
      hostname: name,
      ...(serviceName === '' ? {} : { subdomain: serviceName }),
      volumes: volumesOf(set, draft.spec.volumes ?? [], ordinal),
    },
  };
}

/** A claim takes the place of a volume of the same name. */
function volumesOf(set: StatefulSet, volumes: readonly Volume[], ordinal: number): Volume[] {
  const templates = set.spec.volumeClaimTemplates ?? [];
  const names = new Set(templates.map(({ metadata }) => metadata.name));
  const claimed = templates.map((template) => ({
    name: template.metadata.name ?? '',
    persistentVolumeClaim: { claimName: claimNameOf(set, template, ordinal), readOnly: false },
  }));
  return [...claimed, ...volumes.filter(({ name }) => !names.has(name))];
}

export function claimsOf(set: StatefulSet, ordinal: number): (Draft<PersistentVolumeClaim> & { metadata: { name: string } })[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const { labels, annotations } = template.metadata;
    const owners = claimOwners(set, undefined);
    return {
      metadata: {
        name: claimNameOf(set, template, ordinal),
        namespace: set.metadata.namespace ?? '',
        labels: { ...labels, ...set.spec.selector.matchLabels },
        ...(annotations === undefined ? {} : { annotations }),
        ...(owners.length === 0 ? {} : { ownerReferences: owners }),
      },
      spec: template.spec,
    };
  });
}

/** Who takes a claim along when he goes; `condemned`: the claim's pod, if the set has become too small for it. */
export function claimOwners(set: StatefulSet, condemned: Pod | undefined): OwnerReference[] {
  const { whenDeleted, whenScaled } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  if (whenScaled === 'Delete' && condemned !== undefined) {
    const { name = '', uid = '' } = condemned.metadata;
    return [{ apiVersion: 'v1', kind: 'Pod', name, uid }];
  }
  return whenDeleted === 'Delete' ? [controllerReference(set, statefulSets)] : [];
}

/** The claim's owners as they should be: others' stay. Undefined: they are. */
export function withOwners(set: StatefulSet, claim: PersistentVolumeClaim, pod: Pod, isCondemned: boolean): OwnerReference[] | undefined {
  const present = claim.metadata.ownerReferences ?? [];
  const wanted = claimOwners(set, isCondemned ? pod : undefined);
  const ours = present.filter((each) => isOurs(set, pod, each));
  const isRight = ours.length === wanted.length && wanted.every(({ uid }) => ours.some((each) => each.uid === uid));
  return isRight ? undefined : [...present.filter((each) => !isOurs(set, pod, each)), ...wanted];
}

function isOurs(set: StatefulSet, pod: Pod, { uid }: OwnerReference): boolean {
  return uid === set.metadata.uid || uid === pod.metadata.uid;
}

/** A claim that goes with a former pod of the same name: the next pod must not take it. */
export function isLeftBehind(claim: PersistentVolumeClaim, pod: Pod | undefined): boolean {
  if (claim.metadata.deletionTimestamp !== undefined) return true;
  return (claim.metadata.ownerReferences ?? []).some(({ kind, uid }) => kind === 'Pod' && uid !== pod?.metadata.uid);
}
