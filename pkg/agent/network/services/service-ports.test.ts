import { describe, expect, test } from '@jest/globals';
import type { Service } from '#api/shapes/types/core-v1';
import type { Endpoint, EndpointSlice } from '#api/shapes/types/discovery-v1';
import type { NetworkPod } from '../state.ts';
import { claimPorts } from './claims.ts';
import { forwardedPorts, type PortsCache } from './service-ports.ts';

function service(spec: Service['spec'], annotations: Record<string, string> = {}, status: Service['status'] = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'web', annotations },
    spec: { clusterIP: '10.43.0.10', ports: [{ port: 80, nodePort: 30_080 }], ...spec },
    status,
  };
}

function slice(endpoints: Endpoint[], overrides: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'default', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    ...overrides,
  };
}

const here: Endpoint = { addresses: ['10.42.0.2'], nodeName: 'node-1' };
const there: Endpoint = { addresses: ['10.42.1.2'], nodeName: 'node-2' };

const ports = (services: Service[], slices: EndpointSlice[], pods: NetworkPod[] = []) =>
  forwardedPorts({ services, endpointSlices: slices, pods }, 'node-1');

describe('what is forwarded', () => {
  test('a cluster address to the endpoints of all its slices, once each', () => {
    const [port] = ports([service({})], [slice([there, here]), slice([here])]);
    expect(port).toMatchObject({
      virtual: [{ address: '10.43.0.10', port: 80 }],
      node: [],
      internal: [
        { address: '10.42.0.2', port: 8080 },
        { address: '10.42.1.2', port: 8080 },
      ],
    });
  });

  test('no headless service, no external name, no IPv6 slice, no port of another name', () => {
    expect(ports([service({ clusterIP: 'None' })], [slice([here])])).toEqual([]);
    expect(ports([service({ type: 'ExternalName', clusterIP: '' })], [])).toEqual([]);
    expect(ports([service({})], [slice([here], { addressType: 'IPv6' })])[0]?.internal).toEqual([]);
    expect(ports([service({})], [slice([here], { ports: [{ name: 'other', port: 1 }] })])[0]?.internal).toEqual([]);
    expect(ports([service({})], [slice([here], { ports: [{ name: '', port: 1, protocol: 'UDP' }] })])[0]?.internal).toEqual([]);
  });

  test('Local keeps traffic on the node, inside and from outside apart', () => {
    const [port] = ports(
      [service({ type: 'NodePort', internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Cluster' })],
      [slice([here, there])],
    );
    expect(port?.internal).toHaveLength(1);
    expect(port?.external).toHaveLength(2);
    const [other] = ports([service({ type: 'NodePort', externalTrafficPolicy: 'Local' })], [slice([there])]);
    expect([other?.internal.length, other?.external]).toEqual([1, []]);
  });

  test('a LoadBalancer opens its own port and its node port; a NodePort only that; another class of balancer not its own', () => {
    expect(ports([service({ type: 'LoadBalancer' })], [])[0]?.node).toEqual([{ port: 30_080 }, { port: 80 }]);
    expect(ports([service({ type: 'NodePort' })], [])[0]?.node).toEqual([{ port: 30_080 }]);
    expect(ports([service({ type: 'LoadBalancer', loadBalancerClass: 'other' })], [])[0]?.node).toEqual([{ port: 30_080 }]);
    expect(ports([service({ type: 'ClusterIP' })], [])[0]?.node).toEqual([]);
  });

  test('the annotation restricts addresses by port; one that cannot be read opens nothing', () => {
    const only = (text: string) =>
      ports([service({ type: 'LoadBalancer', ports: [{ port: 80 }] }, { 'berth.dev/host-addresses': text })], [])[0]?.node;
    expect(only('{"80/tcp":["127.0.0.1","192.0.2.1"]}')).toEqual([
      { address: '127.0.0.1', port: 80 },
      { address: '192.0.2.1', port: 80 },
    ]);
    expect(only('{"80/TCP":["0.0.0.0"]}')).toEqual([{ port: 80 }]);
    expect(only('{"81/tcp":["127.0.0.1"]}')).toEqual([{ port: 80 }]);
    for (const wrong of ['', 'x', '[]', 'null', '{"80/tcp":"127.0.0.1"}', '{"80/tcp":[1]}', '{"80/tcp":["; drop"]}'])
      expect(only(wrong)).toEqual([]);
  });

  test('external addresses and those of a balancer count as outside', () => {
    const [port] = ports(
      [
        service(
          { externalIPs: ['192.0.2.5'] },
          {},
          { loadBalancer: { ingress: [{ ip: '192.0.2.6' }, { ip: '192.0.2.7', ipMode: 'Proxy' }, { hostname: 'x' }] } },
        ),
      ],
      [],
    );
    expect(port?.virtual.map(({ address }) => address)).toEqual(['10.43.0.10', '192.0.2.5', '192.0.2.6']);
    expect(port?.externalAddresses).toEqual(['192.0.2.5', '192.0.2.6']);
  });

  test('nothing that is no address gets into the rules', () => {
    const odd = service({ clusterIP: '10.43.0.10', externalIPs: ['1.2.3.4 }; drop'], loadBalancerSourceRanges: ['10.0.0.0/8', 'all'] });
    const [port] = ports([odd], [slice([{ addresses: ['10.42.0.2; accept'] }])]);
    expect([port?.virtual.length, port?.internal, port?.sourceRanges]).toEqual([1, [], ['10.0.0.0/8']]);
  });

  test('a service whose objects are the same is not worked out again, one whose endpoints changed is', () => {
    const cache: PortsCache = new WeakMap();
    const web = service({});
    const first = slice([here]);
    const of = (...slices: EndpointSlice[]) => forwardedPorts({ services: [web], endpointSlices: slices, pods: [] }, 'node-1', cache)[0];
    const before = of(first);
    expect(of(first)).toBe(before);
    expect(of(slice([here, there]))?.internal).toHaveLength(2);
    expect(of(first, slice([there]))?.internal).toHaveLength(2);
    expect(of()?.internal).toEqual([]);
  });

  test("host ports of this node's pods", () => {
    const pod: NetworkPod = {
      namespace: 'default',
      name: 'p',
      addresses: ['10.42.0.9'],
      networks: [],
      hostPorts: [{ protocol: 'udp', containerPort: 53, hostPort: 5353, hostAddress: '192.0.2.1' }],
    };
    expect(ports([], [], [pod])[0]).toMatchObject({
      node: [{ address: '192.0.2.1', port: 5353 }],
      external: [{ address: '10.42.0.9', port: 53 }],
      protocol: 'udp',
    });
    expect(ports([], [], [{ ...pod, addresses: [] }])).toEqual([]);
  });
});

describe('claims on ports of the node', () => {
  const pod = (name: string, hostAddress: string): NetworkPod => ({
    namespace: 'default',
    name,
    addresses: ['10.42.0.9'],
    networks: [],
    hostPorts: [{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostAddress }],
  });
  const owners = (pods: NetworkPod[]) => {
    const { claims, problems } = claimPorts(ports([], [], pods));
    return [claims.map(({ owner }) => owner.name), problems.map(({ name }) => name)];
  };

  test('the first has it; different addresses do not meet, all addresses meet each', () => {
    expect(owners([pod('a', ''), pod('b', '')])).toEqual([['a'], ['b']]);
    expect(owners([pod('a', '127.0.0.1'), pod('b', '192.0.2.1')])).toEqual([['a', 'b'], []]);
    expect(owners([pod('a', '127.0.0.1'), pod('b', '0.0.0.0')])).toEqual([['a'], ['b']]);
    expect(owners([pod('a', ''), pod('b', '127.0.0.1')])).toEqual([['a'], ['b']]);
  });
});
