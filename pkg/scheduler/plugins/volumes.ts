import { matchesNodeSelector } from '#api/node-selector';
import type { Explanation, Plugin, PreparedPlugin, Refusal } from '../framework.ts';
import type { Snapshot } from '../snapshot.ts';

const name = 'VolumeBinding';
const conflict: Refusal = { plugin: name, reason: 'node(s) had volume node affinity conflict' };

/**
 * A pod goes where its volumes are: a bound claim's volume says by its node affinity where it can be used; a claim that waits for its
 * first consumer allows any node, until one was chosen for it.
 */
export const volumes: Plugin = {
  name,
  prepare: (shape, snapshot) => {
    if (shape.claims.length === 0) return undefined;
    const checks: ((slot: number) => Explanation | undefined)[] = [];
    for (const claimName of shape.claims) {
      const outcome = checkOf(shape.namespace, claimName, snapshot);
      if ('reason' in outcome) return { wide: true, refusesAll: outcome };
      if (outcome.check !== undefined) checks.push(outcome.check);
    }
    return {
      wide: true,
      filter: (slot) => (checks.some((check) => check(slot) !== undefined) ? conflict : undefined),
      explain: (slot) => checks.map((check) => check(slot)).filter((found) => found !== undefined),
    };
  },
};

function checkOf(
  namespace: string,
  claimName: string,
  snapshot: Snapshot,
): NonNullable<PreparedPlugin['refusesAll']> | { check?: (slot: number) => Explanation | undefined } {
  const { lookup } = snapshot;
  const claim = lookup.claim(namespace, claimName);
  const quoted = `persistentvolumeclaim "${claimName}"`;
  if (claim === undefined) {
    const help = `create the claim ${claimName} in namespace ${namespace}`;
    return { reason: `${quoted} not found`, detail: `the pod's claim ${claimName} does not exist`, help, effort: 1 };
  }
  if (claim.metadata.deletionTimestamp !== undefined) {
    const help = `wait until it is gone and create it again`;
    return { reason: `${quoted} is being deleted`, detail: `the pod's claim ${claimName} is being deleted`, help, effort: 2 };
  }
  const volumeName = claim.spec.volumeName ?? '';
  if (volumeName !== '') {
    const volume = lookup.volume(volumeName);
    if (volume === undefined) {
      const reason = `${quoted} bound to non-existent persistentvolume "${volumeName}"`;
      const help = 'restore the volume, or delete the claim and create it again';
      return { reason, detail: `the volume ${volumeName} of claim ${claimName} does not exist`, help, effort: 5 };
    }
    const required = volume.spec.nodeAffinity?.required;
    if (required === undefined) return {};
    return {
      check: (slot) => {
        if (matchesNodeSelector(required, { name: snapshot.nameOf(slot), labels: snapshot.labelsOf(slot) })) return undefined;
        return {
          ...conflict,
          detail: `the volume ${volumeName} of claim ${claimName} cannot be used here`,
          help: 'place the pod where its volume is',
          effort: 50,
        };
      },
    };
  }
  if (!lookup.waitsForConsumer(claim)) {
    return {
      reason: 'pod has unbound immediate PersistentVolumeClaims',
      detail: `the pod's claim ${claimName} is not bound to a volume`,
      help: `create a volume that the claim ${claimName} can be bound to, or use the storage class berth-local`,
      effort: 5,
    };
  }
  const chosen = lookup.chosenNode(namespace, claimName);
  if (chosen === undefined || snapshot.slotOf(chosen) === undefined) return {};
  return {
    check: (slot) =>
      snapshot.nameOf(slot) === chosen
        ? undefined
        : {
            ...conflict,
            detail: `the volume of claim ${claimName} is being made on node ${chosen}`,
            help: `place the pod on ${chosen}`,
            effort: 50,
          },
  };
}
