import { describe, expect, test } from '@jest/globals';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '#api/shapes/types/core-v1';
import type { StorageClass } from '#api/shapes/types/storage-v1';
import { type ClaimWorld, planClaim } from './plan.ts';
import { statusOf } from './released-volumes.ts';

function claim(spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'default', uid: 'c1' },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'berth-local', resources: { requests: { storage: '5Gi' } }, ...spec },
  };
}

function volume(name: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: { capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'berth-local', ...spec },
  };
}

const local: StorageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'berth-local' },
  provisioner: 'berth.dev/local',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'a', labels: { 'kubernetes.io/hostname': 'host-a' }, annotations: { 'berth.dev/volume-directory': '/data/volumes' } },
  spec: {},
};
const world = (more: Partial<ClaimWorld> = {}): ClaimWorld => ({
  volumes: [],
  storageClass: local,
  node: undefined,
  nodeName: undefined,
  ...more,
});
const onNode = { node, nodeName: 'a' };
const onHost = (host: string) => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] }] },
  },
});

describe('a claim', () => {
  test('of the local class waits for its first pod, then gets a directory on that pod’s node', () => {
    expect(planClaim(claim(), world())).toMatchObject({ type: 'wait', event: 'Normal', reason: 'WaitForFirstConsumer' });
    expect(planClaim(claim(), world(onNode))).toMatchObject({
      type: 'provision',
      node: 'a',
      volume: {
        metadata: { name: 'pvc-c1' },
        spec: {
          capacity: { storage: '5Gi' },
          persistentVolumeReclaimPolicy: 'Delete',
          storageClassName: 'berth-local',
          local: { path: '/data/volumes/pvc-c1' },
          claimRef: { name: 'data', namespace: 'default', uid: 'c1' },
          ...onHost('host-a'),
        },
      },
    });
    expect(planClaim(claim(), world({ nodeName: 'gone' }))).toMatchObject({ type: 'wait', reason: 'ProvisioningFailed' });
  });

  test('gets the smallest free volume that fits, where its pod will be', () => {
    const volumes = [
      volume('large', { capacity: { storage: '100Gi' } }),
      volume('elsewhere', onHost('host-b')),
      volume('taken', { claimRef: { name: 'x', namespace: 'default', uid: 'c2' } }),
      volume('small', { capacity: { storage: '1Gi' } }),
      volume('other-class', { storageClassName: 'fast' }),
      volume('fits', onHost('host-a')),
    ];
    expect(planClaim(claim(), world({ volumes, ...onNode }))).toMatchObject({ type: 'bind', volume: { metadata: { name: 'fits' } } });
  });

  test('takes up a binding that was not finished', () => {
    const own = volume('pvc-c1', { claimRef: { name: 'data', namespace: 'default', uid: 'c1' } });
    expect(planClaim(claim(), world({ volumes: [own] }))).toEqual({ type: 'bind', volume: own });
    expect(planClaim(claim({ volumeName: 'pvc-c1' }), world({ volumes: [own] }))).toEqual({ type: 'bound', volume: own });
  });

  test('is lost with its volume, and not given another’s', () => {
    expect(planClaim(claim({ volumeName: 'gone' }), world())).toMatchObject({ type: 'lost', reason: 'ClaimLost' });
    const other = volume('v', { claimRef: { name: 'data', namespace: 'default', uid: 'an-older-claim' } });
    expect(planClaim(claim({ volumeName: 'v' }), world({ volumes: [other] }))).toMatchObject({ type: 'lost', reason: 'ClaimMisbound' });
  });

  test('of no class or an unknown one says why it has no volume', () => {
    const none = planClaim(claim({ storageClassName: '' }), world({ storageClass: undefined }));
    expect(none).toMatchObject({ type: 'wait', message: 'no persistent volumes available for this claim and no storage class is set' });
    const unknown = planClaim(claim({ storageClassName: 'fast' }), world({ storageClass: undefined }));
    expect(unknown).toMatchObject({ message: 'storageclass.storage.k8s.io "fast" not found' });
  });
});

describe('a volume', () => {
  test('is free, bound, or released with what becomes of its data', () => {
    expect(statusOf(volume('v'), false)).toEqual({ phase: 'Available' });
    const claimRef = { name: 'data', namespace: 'default', uid: 'c1' };
    expect(statusOf(volume('v', { claimRef }), true)).toEqual({ phase: 'Bound' });
    expect(statusOf(volume('v', { claimRef, persistentVolumeReclaimPolicy: 'Retain' }), false)).toEqual({ phase: 'Released' });
    const made = volume('v', { claimRef, persistentVolumeReclaimPolicy: 'Delete', local: { path: '/data/v' }, ...onHost('host-a') });
    const provisioned = { ...made, metadata: { ...made.metadata, annotations: { 'pv.kubernetes.io/provisioned-by': 'berth.dev/local' } } };
    expect(statusOf(provisioned, false)).toMatchObject({
      phase: 'Released',
      message: expect.stringContaining('node host-a removes its data'),
    });
    const foreign = { ...provisioned, metadata: made.metadata };
    expect(statusOf(foreign, false)).toMatchObject({ phase: 'Failed', reason: 'NoDeleter' });
  });
});
