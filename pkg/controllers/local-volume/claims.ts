/**
 * Binds claims to volumes and makes volumes of the local class: a directory on the node that the scheduler chose for the claim's first consumer.
 * It writes objects alone; the directory is the agent's to make.
 */
import { deepEqual } from '#api/equality';
import { nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '#api/shapes/resources';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#api/shapes/types/core-v1';
import { localClass } from '#api/volumes/local-volume';
import { hasReason } from '#base/errors';
import type { Draft } from '#client/client';
import { keyOf } from '#client/informer';
import { defineController, mapped, type Outcome, own, type ReconcileContext } from '../controller.ts';
import { planClaim, selectedNodeAnnotation } from './plan.ts';

/** What waits for something that no watch tells of (a node that was not there yet) is looked at again. */
const pause = 15_000;

export const claims = defineController({
  name: 'persistentvolume',
  watches: () => [
    own(persistentVolumeClaims),
    mapped(persistentVolumes, (volume, informers) => {
      const { claimRef } = volume.spec;
      if (claimRef !== undefined) return [`${claimRef.namespace}/${claimRef.name}`];
      // A free volume: any claim that waits may take it.
      return informers
        .for(persistentVolumeClaims)
        .list()
        .filter(({ spec }) => (spec.volumeName ?? '') === '')
        .map(keyOf);
    }),
    mapped(pods, (pod) => ((pod.spec.nodeName ?? '') === '' ? [] : claimKeysOf(pod))),
  ],
  reads: [nodes, storageClasses],
  indexes: (informers) => informers.for(pods).addIndex('claim', claimKeysOf),
  reconcile: async (key, context) => {
    const { client, events, store } = context;
    const claim = store(persistentVolumeClaims).get(key);
    if (claim === undefined) return undefined;
    const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation] ?? nodeOfConsumer(key, context);
    const action = planClaim(claim, {
      volumes: store(persistentVolumes).list(),
      storageClass: store(storageClasses).get(claim.spec.storageClassName ?? localClass),
      node: nodeName === undefined ? undefined : store(nodes).get(nodeName),
      nodeName,
    });
    switch (action.type) {
      case 'none':
        return undefined;
      case 'bound':
        await settle(claim, action.volume, context);
        return undefined;
      case 'lost':
        events.event(claim, 'Warning', action.reason, action.message);
        await setPhase(claim, { ...claim.status, phase: 'Lost' }, context);
        return undefined;
      case 'bind':
        await bind(claim, action.volume, context);
        return undefined;
      case 'wait':
        events.event(claim, action.event, action.reason, action.message);
        await setPhase(claim, { ...claim.status, phase: 'Pending' }, context);
        return action.event === 'Warning' ? ({ after: pause } satisfies Outcome) : undefined;
      case 'provision': {
        const volume = await make(action.volume, client);
        events.event(
          claim,
          'Normal',
          'ProvisioningSucceeded',
          `Successfully provisioned volume ${volume.metadata.name} on node ${action.node}`,
        );
        await bind(claim, volume, context);
        return undefined;
      }
    }
  },
});

/** `namespace/name` of the claims that the pod's volumes name. */
export function claimKeysOf(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    const name =
      volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral === undefined ? undefined : `${pod.metadata.name}-${volume.name}`);
    return name === undefined ? [] : [`${pod.metadata.namespace}/${name}`];
  });
}

/** A pod that named its node itself is never seen by the scheduler: its claims follow it. */
function nodeOfConsumer(key: string, { store }: ReconcileContext): string | undefined {
  return store(pods)
    .byIndex('claim', key)
    .find(({ spec }) => (spec.nodeName ?? '') !== '')?.spec.nodeName;
}

async function make(volume: Draft<PersistentVolume>, client: ReconcileContext['client']): Promise<PersistentVolume> {
  try {
    return await client.create(persistentVolumes, volume);
  } catch (error) {
    // Its name has the claim's uid in it: it is ours, from an attempt that did not get further.
    if (!hasReason(error, 'AlreadyExists')) throw error;
    return await client.get(persistentVolumes, { name: volume.metadata.name ?? '' });
  }
}

/** First the volume says whose it is, then the claim which it has; whatever stops in between is taken up again from there. */
async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, context: ReconcileContext): Promise<void> {
  const { client } = context;
  const { name = '', namespace = '', uid = '' } = claim.metadata;
  let bound = volume;
  if (volume.spec.claimRef?.uid !== uid) {
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    const annotations = { ...volume.metadata.annotations, 'pv.kubernetes.io/bound-by-controller': 'yes' };
    bound = await client.update(persistentVolumes, {
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: { ...volume.spec, claimRef },
    });
  }
  const annotations = {
    ...claim.metadata.annotations,
    'pv.kubernetes.io/bind-completed': 'yes',
    'pv.kubernetes.io/bound-by-controller': 'yes',
  };
  const updated = await client.update(persistentVolumeClaims, {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: {
      ...claim.spec,
      volumeName: bound.metadata.name ?? '',
      ...(claim.spec.storageClassName === undefined && bound.spec.storageClassName !== undefined
        ? { storageClassName: bound.spec.storageClassName }
        : {}),
    },
  });
  await settle(updated, bound, context);
}

/** Both say that they are bound. */
async function settle(claim: PersistentVolumeClaim, volume: PersistentVolume, context: ReconcileContext): Promise<void> {
  const { accessModes, capacity } = volume.spec;
  await setPhase(
    claim,
    {
      ...claim.status,
      phase: 'Bound',
      ...(accessModes === undefined ? {} : { accessModes }),
      ...(capacity === undefined ? {} : { capacity }),
    },
    context,
  );
  if (volume.status?.phase !== 'Bound') {
    await context.client.updateStatus(persistentVolumes, { ...volume, status: { phase: 'Bound' } });
  }
}

async function setPhase(
  claim: PersistentVolumeClaim,
  status: PersistentVolumeClaim['status'],
  { client }: ReconcileContext,
): Promise<void> {
  if (status === undefined || deepEqual(claim.status, status)) return;
  await client.updateStatus(persistentVolumeClaims, { ...claim, status });
}
