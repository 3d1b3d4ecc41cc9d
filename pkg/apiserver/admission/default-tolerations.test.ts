import { expect, test } from '@jest/globals';
import type { Pod, Toleration } from '#api/shapes/types/core-v1';
import type { AdmissionRequest } from './admission.ts';
import { defaultTolerations } from './default-tolerations.ts';

function admitted(tolerations: Toleration[] | undefined, more: Partial<AdmissionRequest> = {}): Toleration[] | undefined {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [], ...(tolerations === undefined ? {} : { tolerations }) },
  };
  void defaultTolerations.mutate?.({ operation: 'create', object: pod, ...more } as AdmissionRequest);
  return pod.spec.tolerations;
}

const forFiveMinutes = (key: string): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
const both = [forFiveMinutes('node.kubernetes.io/not-ready'), forFiveMinutes('node.kubernetes.io/unreachable')];

test('a pod without tolerations stays five minutes on a node that is not ready or out of reach', () => {
  expect(admitted(undefined)).toEqual(both);
});

test('what the pod says itself is left as it is', () => {
  const own: Toleration = { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 };
  expect(admitted([own])).toEqual([own, both[0]]);
  const all: Toleration = { operator: 'Exists' };
  expect(admitted([all])).toEqual([all]);
});

test('a pod that is written again as it was made keeps its tolerations; its subresources are left alone', () => {
  expect(admitted(undefined, { operation: 'update' })).toEqual(both);
  expect(admitted(undefined, { subresource: 'binding' })).toBeUndefined();
});
