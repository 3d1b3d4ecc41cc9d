import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Pod } from '#api/shapes/types/core-v1';
import { writeCniConfiguration } from './cni.ts';
import { parseResolvConf } from './dns/resolv-conf.ts';
import { networkLayout } from './network-layout.ts';
import { parseRange } from './ranges.ts';
import { networkPodOf } from './state.ts';

describe('ranges', () => {
  test('have a first address and know what is in them', () => {
    const range = parseRange('10.42.3.0/24');
    expect([range.gateway, range.length]).toEqual(['10.42.3.1', 24]);
    expect(['10.42.3.0', '10.42.3.255', '10.42.4.0', '10.42.2.255', 'x', '::1', ''].map((address) => range.contains(address))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(() => parseRange('10.42.3.0/33')).toThrow();
    expect(() => parseRange('nothing')).toThrow();
  });
});

describe('names on the machine', () => {
  test('differ between homes, and an interface fits', () => {
    const plain = networkLayout('/var/lib/berth');
    const other = networkLayout('/root/.berth');
    expect([plain.bridge, plain.table]).toEqual(['cni-berth0', 'berth']);
    expect(other.bridge.length).toBeLessThanOrEqual(15);
    expect(
      new Set(
        [plain, other].flatMap(({ bridge, table, cniNetwork, firewallMark }) => [
          bridge,
          `${table}!`,
          `${cniNetwork}?`,
          `${firewallMark}.`,
        ]),
      ).size,
    ).toBe(8);
  });
});

describe("CNI's configuration", () => {
  test('is written whole, and again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-cni-'));
    const network = { name: 'berth', bridge: 'cni-berth0', podCidr: '10.42.0.0/24', mtu: 1_400, dataFolder: '/d' };
    writeCniConfiguration(folder, network);
    writeCniConfiguration(folder, { ...network, mtu: 1_500 });
    expect(readdirSync(folder)).toEqual(['10-berth.conflist']);
    expect(JSON.parse(readFileSync(join(folder, '10-berth.conflist'), 'utf8'))).toMatchObject({
      name: 'berth',
      plugins: [{ type: 'bridge', mtu: 1_500, ipam: { ranges: [[{ subnet: '10.42.0.0/24' }]], dataDir: '/d' } }],
    });
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('/etc/resolv.conf', () => {
  test('is read as resolvers read it', () => {
    const text =
      '# comment\nnameserver 192.0.2.1 # first\n nameserver\t2001:db8::1\ndomain a.example\nsearch b.example c.example .\noptions ndots:2\noptions edns0\nnameserver\n';
    expect(parseResolvConf(text)).toEqual({
      servers: ['192.0.2.1', '2001:db8::1'],
      searches: ['b.example', 'c.example'],
      options: ['ndots:2', 'edns0'],
    });
    expect(parseResolvConf('')).toEqual({ servers: [], searches: [], options: [] });
  });
});

describe('what the network knows of a pod', () => {
  const pod = (overrides: Partial<Pod['spec']>): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'n', name: 'p' },
    spec: {
      berth: { networks: ['n/x_default'] },
      containers: [
        {
          name: 'a',
          ports: [
            { containerPort: 80, hostPort: 8080 },
            { containerPort: 81 },
            { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '127.0.0.1' },
          ],
        },
      ],
      ...overrides,
    },
  });

  test('is its addresses, networks and host ports', () => {
    expect(networkPodOf(pod({}), ['10.42.0.2'])).toEqual({
      namespace: 'n',
      name: 'p',
      addresses: ['10.42.0.2'],
      networks: ['n/x_default'],
      hostPorts: [
        { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostAddress: '' },
        { protocol: 'udp', containerPort: 53, hostPort: 53, hostAddress: '127.0.0.1' },
      ],
    });
  });

  test("is nothing of its own on the host's network", () => {
    expect(networkPodOf(pod({ hostNetwork: true }), ['192.0.2.1'])).toMatchObject({ addresses: [], hostPorts: [] });
  });
});
