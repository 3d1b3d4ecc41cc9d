import { describe, expect, test } from '@jest/globals';
import type { Pod } from '#api/shapes/types/core-v1';
import { decide } from './authorizer.ts';
import { createAuthorizers } from './index.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    nodeName: 'n1',
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'a', secret: { secretName: 'vol' } },
      { name: 'b', projected: { sources: [{ configMap: { name: 'proj' } }] } },
      { name: 'c', persistentVolumeClaim: { claimName: 'data' } },
    ],
    initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'init' } }] }],
    containers: [{ name: 'c', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } }] }],
  },
};

const authorizers = createAuthorizers(async (node) => (node === 'n1' ? [pod] : []));
const node = (name: string) => ({ name: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] });

async function may(user: string, verb: string, resource: string, rest: { name?: string; namespace?: string; fieldSelector?: string }) {
  return (await decide(authorizers, { user: node(user), verb, group: '', resource, ...rest })).allowed;
}

describe('node authorizer', () => {
  test('a node reads its own Node and no other, and changes none', async () => {
    expect(await may('n1', 'get', 'nodes', { name: 'n1' })).toBe(true);
    expect(await may('n1', 'watch', 'nodes', { fieldSelector: 'metadata.name=n1' })).toBe(true);
    expect(await may('n1', 'get', 'nodes', { name: 'n2' })).toBe(false);
    expect(await may('n1', 'list', 'nodes', {})).toBe(false);
    expect(await may('n1', 'update', 'nodes', { name: 'n1' })).toBe(false);
  });

  test('a node reads the pods bound to it and what they need', async () => {
    const namespace = 'default';
    expect(await may('n1', 'list', 'pods', { fieldSelector: 'spec.nodeName=n1' })).toBe(true);
    expect(await may('n1', 'list', 'pods', { fieldSelector: 'spec.nodeName=n2' })).toBe(false);
    expect(await may('n1', 'list', 'pods', {})).toBe(false);
    expect(await may('n1', 'get', 'pods', { name: 'web', namespace })).toBe(true);
    expect(await may('n2', 'get', 'pods', { name: 'web', namespace })).toBe(false);
    for (const name of ['pull', 'vol', 'key']) expect(await may('n1', 'get', 'secrets', { name, namespace })).toBe(true);
    for (const name of ['proj', 'init']) expect(await may('n1', 'get', 'configmaps', { name, namespace })).toBe(true);
    expect(await may('n1', 'get', 'persistentvolumeclaims', { name: 'data', namespace })).toBe(true);
    expect(await may('n1', 'get', 'secrets', { name: 'other', namespace })).toBe(false);
    expect(await may('n1', 'get', 'secrets', { name: 'vol', namespace: 'kube-system' })).toBe(false);
    expect(await may('n2', 'get', 'secrets', { name: 'vol', namespace })).toBe(false);
    expect(await may('n1', 'list', 'secrets', { namespace })).toBe(false);
  });
});
