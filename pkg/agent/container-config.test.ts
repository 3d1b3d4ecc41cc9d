import { describe, expect, test } from '@jest/globals';
import type { Container, Pod, PodSpec } from '#api/shapes/types/core-v1';
import { containerConfig, dnsOf, hostnameOf, hostsFile, resourcesOf, sandboxConfig } from './container-config.ts';
import { qosClassOf } from './pod.ts';
import type { Image } from './runtime/runtime.ts';

const image: Image = { id: 'sha256:1', tags: [], digests: [], size: 1, uid: undefined, userName: '', pinned: false };

function podOf(spec: Partial<PodSpec>): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', uid: 'u' },
    spec: { containers: [{ name: 'main', image: 'i' }], ...spec },
  };
}

function configOf(
  container: Partial<Container>,
  spec: Partial<PodSpec> = {},
  picture: Partial<Image> = {},
): ReturnType<typeof containerConfig> {
  const pod = podOf({ ...spec, containers: [{ name: 'main', image: 'i', ...container }] });
  const sources = {
    configMap: () => undefined,
    secret: () => undefined,
    services: [],
    podAddresses: [],
    hostAddresses: [],
    allocatable: {},
  };
  return containerConfig({
    pod,
    container: pod.spec.containers[0]!,
    attempt: 2,
    backoffMilliseconds: 20_000,
    image: { ...image, ...picture },
    mounts: [],
    sources,
    memoryCapacity: 8 * 1024 ** 3,
  });
}

describe('a container', () => {
  test('runs as the user that it names: by number, by name, with a group', () => {
    expect(configOf({ securityContext: { runAsUser: 7 } }, { securityContext: { runAsUser: 1, runAsGroup: 2 } }).security).toMatchObject({
      runAsUser: 7,
      runAsGroup: 2,
    });
    expect(configOf({ berth: { user: '12:34' } }).security).toMatchObject({ runAsUser: 12, runAsGroup: 34 });
    expect(configOf({ berth: { user: 'nobody' } }).security).toMatchObject({ runAsUserName: 'nobody' });
    expect(() => configOf({ berth: { user: 'nobody:staff' } })).toThrow('group must be a number');
  });

  test('that must not run as root is refused when it would, or when nobody can tell', () => {
    const securityContext = { runAsNonRoot: true };
    expect(() => configOf({ securityContext })).toThrow('image will run as root');
    expect(() => configOf({ securityContext }, {}, { userName: 'web' })).toThrow('non-numeric user (web)');
    expect(() => configOf({ securityContext: { ...securityContext, runAsUser: 0 } })).toThrow('image will run as root');
    expect(configOf({ securityContext }, {}, { uid: 101 }).security.runAsUser).toBeUndefined();
  });

  test('gets its share and its limits', () => {
    const resources = { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '500m', memory: '2Gi' } };
    const pod = podOf({ containers: [{ name: 'main', image: 'i', resources }] });
    expect(resourcesOf(pod, pod.spec.containers[0]!, 8 * 1024 ** 3)).toEqual({
      cpuPeriod: 100_000,
      cpuQuota: 50_000,
      cpuShares: 256,
      memoryLimitBytes: 2 * 1024 ** 3,
      oomScoreAdjustment: 875,
    });
    expect(qosClassOf(pod)).toBe('Burstable');
    expect(qosClassOf(podOf({}))).toBe('BestEffort');
    expect(qosClassOf(podOf({ containers: [{ name: 'main', image: 'i', resources: { limits: { cpu: '1', memory: '1Gi' } } }] }))).toBe(
      'Guaranteed',
    );
  });

  test('remembers what it was made from', () => {
    const { annotations, logPath, attempt } = configOf({});
    expect(annotations['io.berth.backoff-milliseconds']).toBe('20000');
    expect([logPath, attempt]).toEqual(['main/2.log', 2]);
  });
});

describe('a sandbox', () => {
  const input = { attempt: 0, logDirectory: '/logs', cgroupParent: '/pods', dns: { servers: [], searches: [], options: [] } };

  test('has no name of its own and no ports on the network of the host', () => {
    const containers = [{ name: 'main', image: 'i', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }];
    expect(sandboxConfig({ pod: podOf({ containers }), ...input })).toMatchObject({
      hostname: 'web',
      hostPorts: [{ containerPort: 80, hostPort: 8080, protocol: 'TCP' }],
    });
    expect(sandboxConfig({ pod: podOf({ containers, hostNetwork: true }), ...input })).toMatchObject({
      hostname: '',
      hostPorts: [],
      hostNetwork: true,
    });
  });

  test('is named as asked, within what a hostname may be', () => {
    expect(hostnameOf(podOf({ hostname: 'db' }))).toBe('db');
    const long = podOf({});
    expect(hostnameOf({ ...long, metadata: { ...long.metadata, name: `${'a'.repeat(62)}-b` } })).toBe('a'.repeat(62));
  });

  test('knows itself and its aliases', () => {
    expect(
      hostsFile(
        podOf({ subdomain: 'peers', hostAliases: [{ ip: '192.0.2.9', hostnames: ['nine', 'neun'] }] }),
        ['10.42.0.7'],
        'cluster.local',
      ),
    ).toBe(
      '# Made by Berth for this pod.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.42.0.7\tweb.peers.shop.svc.cluster.local\tweb\n192.0.2.9\tnine\tneun\n',
    );
  });
});

describe("a pod's resolver", () => {
  const node = {
    server: '10.42.0.1',
    domain: 'cluster.local',
    host: { servers: ['192.0.2.53'], searches: ['example.org'], options: ['timeout:1'] },
  };
  test('asks the cluster first, the host by Default and on its network, and what it is told by None', () => {
    expect(dnsOf(podOf({}), node)).toEqual({
      servers: ['10.42.0.1'],
      searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org'],
      options: ['ndots:5'],
    });
    expect(dnsOf(podOf({ dnsPolicy: 'Default' }), node)).toEqual(node.host);
    expect(dnsOf(podOf({ hostNetwork: true }), node)).toEqual(node.host);
    expect(dnsOf(podOf({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), node).servers).toEqual(['10.42.0.1']);
    expect(
      dnsOf(podOf({ dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'], options: [{ name: 'ndots', value: '2' }] } }), node),
    ).toEqual({
      servers: ['192.0.2.1'],
      searches: [],
      options: ['ndots:2'],
    });
  });

  test('of a Compose service asks for bare names as they are, first', () => {
    expect(dnsOf(podOf({ berth: { networks: ['shop/default'] } }), node).options).toEqual(['ndots:0']);
  });
});
