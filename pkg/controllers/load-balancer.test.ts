import { describe, expect, test } from '@jest/globals';
import type { Node, Service } from '#api/shapes/types/core-v1';
import { ingressOf } from './load-balancer.ts';

function node(name: string, address: string, changes: { ready?: string; labels?: Record<string, string> } = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: changes.labels ?? {} },
    spec: {},
    status: { addresses: [{ type: 'InternalIP', address }], conditions: [{ type: 'Ready', status: changes.ready ?? 'True' }] },
  };
}

function service(hostAddresses?: string): Service {
  const annotations = hostAddresses === undefined ? {} : { 'berth.dev/host-addresses': hostAddresses };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'default', annotations },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  };
}

const proxy = (...addresses: string[]) => addresses.map((ip) => ({ ip, ipMode: 'Proxy' }));

describe('where a balanced service is reached', () => {
  const nodes = [
    node('b', '192.0.2.2'),
    node('a', '192.0.2.1'),
    node('silent', '192.0.2.3', { ready: 'Unknown' }),
    node('apart', '192.0.2.4', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }),
  ];

  test('is at the nodes that are ready and not left out, in the order of their names', () => {
    expect(ingressOf(service(), nodes)).toEqual(proxy('192.0.2.1', '192.0.2.2'));
  });

  test('is where it is opened alone, if it is not opened everywhere', () => {
    expect(ingressOf(service('{"80/tcp":["127.0.0.1"]}'), nodes)).toEqual(proxy('127.0.0.1'));
    expect(ingressOf(service('{"80/tcp":["127.0.0.1","0.0.0.0"]}'), nodes)).toEqual(proxy('192.0.2.1', '192.0.2.2'));
    expect(ingressOf(service('nonsense'), nodes)).toEqual([]);
  });

  test('is nowhere as long as no node is there, and at no more than a few', () => {
    expect(ingressOf(service(), [])).toEqual([]);
    const many = Array.from({ length: 100 }, (_, index) => node(`n${index}`, `198.51.100.${index}`));
    expect(ingressOf(service(), many)).toHaveLength(8);
  });
});
