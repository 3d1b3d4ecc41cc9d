import { describe, expect, test } from '@jest/globals';
import type { Service } from '#api/shapes/types/core-v1';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';
import type { NetworkState } from '../state.ts';
import { answer, type Reply } from './answer.ts';
import { zoneOf } from './zone.ts';

function service(name: string, spec: Service['spec'], annotations: Record<string, string> = {}): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'default', name, annotations }, spec };
}

const slices: EndpointSlice[] = [
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'default', name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.42.0.5'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.42.0.6'], conditions: { ready: true } },
      { addresses: ['10.42.0.7'], hostname: 'db-2', conditions: { ready: false } },
    ],
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  },
];

const state: NetworkState = {
  services: [
    service('web', { clusterIP: '10.43.0.10', clusterIPs: ['10.43.0.10'], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }),
    service(
      'db',
      { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] },
      { 'berth.dev/network-names': '{"default/shop_back":["db","database"]}' },
    ),
    service('outside', { type: 'ExternalName', externalName: 'www.example.com.' }),
    service('odd', { clusterIP: '10.43.0.11' }, { 'berth.dev/network-names': 'no JSON' }),
  ],
  endpointSlices: slices,
  pods: [
    { namespace: 'default', name: 'a', addresses: ['10.42.0.20'], networks: ['default/shop_back'], hostPorts: [] },
    { namespace: 'default', name: 'b', addresses: ['10.42.0.21'], networks: ['default/other'], hostPorts: [] },
  ],
};

const zone = zoneOf(state, 'cluster.local');

function ask(name: string, type = 'A', client = '10.42.0.99'): Reply {
  return answer({ name, type }, client, zone, (address) => address.startsWith('10.4'));
}

function data(reply: Reply): unknown[] {
  return reply.kind === 'forward' ? ['forward'] : reply.answers.map((record) => ('data' in record ? record.data : undefined));
}

function code(reply: Reply): string {
  return reply.kind === 'answer' ? reply.code : reply.kind;
}

describe('names of services', () => {
  test('a service is its cluster address, whatever the case, and the answer repeats the question', () => {
    expect(data(ask('Web.Default.svc.Cluster.local'))).toEqual(['10.43.0.10']);
    const reply = ask('Web.Default.svc.Cluster.local');
    expect(reply.kind === 'answer' && reply.answers[0]?.name).toBe('Web.Default.svc.Cluster.local');
  });

  test('other types of a name that exists are an empty answer, and a name that does not exist is none', () => {
    expect([code(ask('web.default.svc.cluster.local', 'AAAA')), data(ask('web.default.svc.cluster.local', 'AAAA'))]).toEqual([
      'NOERROR',
      [],
    ]);
    expect(code(ask('nothing.default.svc.cluster.local'))).toBe('NXDOMAIN');
    expect(code(ask('web.other.svc.cluster.local'))).toBe('NXDOMAIN');
    expect(code(ask('x.web.default.svc.cluster.local'))).toBe('NXDOMAIN');
    expect(code(ask('nothing.cluster.local'))).toBe('NXDOMAIN');
  });

  test('what lies between is there, without records', () => {
    for (const name of ['cluster.local', 'svc.cluster.local', 'default.svc.cluster.local', 'pod.cluster.local']) {
      expect([name, code(ask(name)), data(ask(name))]).toEqual([name, 'NOERROR', []]);
    }
  });

  test('a headless service is its ready endpoints, each by its host name too', () => {
    expect(data(ask('db.default.svc.cluster.local'))).toEqual(['10.42.0.5', '10.42.0.6']);
    expect(data(ask('db-0.db.default.svc.cluster.local'))).toEqual(['10.42.0.5']);
    expect(data(ask('10-42-0-6.db.default.svc.cluster.local'))).toEqual(['10.42.0.6']);
    expect(code(ask('db-2.db.default.svc.cluster.local'))).toBe('NXDOMAIN');
  });

  test('with publishNotReadyAddresses all endpoints have names', () => {
    const [, db] = state.services;
    const open = zoneOf({ ...state, services: [{ ...db!, spec: { ...db!.spec, publishNotReadyAddresses: true } }] }, 'cluster.local');
    const reply = answer({ name: 'db-2.db.default.svc.cluster.local', type: 'A' }, '', open, () => true);
    expect(data(reply)).toEqual(['10.42.0.7']);
  });

  test('ports by name: SRV', () => {
    expect(data(ask('_http._tcp.web.default.svc.cluster.local', 'SRV'))).toEqual([
      { priority: 0, weight: 100, port: 80, target: 'web.default.svc.cluster.local' },
    ]);
    expect(data(ask('_sql._tcp.db.default.svc.cluster.local', 'SRV'))).toEqual([
      { priority: 0, weight: 50, port: 5432, target: 'db-0.db.default.svc.cluster.local' },
      { priority: 0, weight: 50, port: 5432, target: '10-42-0-6.db.default.svc.cluster.local' },
    ]);
    expect(code(ask('_sql._udp.db.default.svc.cluster.local', 'SRV'))).toBe('NXDOMAIN');
    const reply = ask('_sql._tcp.db.default.svc.cluster.local', 'SRV');
    expect(reply.kind === 'answer' && reply.additionals.map((record) => 'data' in record && record.data)).toEqual([
      '10.42.0.5',
      '10.42.0.6',
    ]);
  });

  test('an external name is an alias', () => {
    expect(ask('outside.default.svc.cluster.local')).toMatchObject({
      kind: 'alias',
      target: 'www.example.com',
      answers: [{ type: 'CNAME', data: 'www.example.com' }],
    });
  });

  test('addresses back to names; an address of the cluster that nobody has is none, others are asked for elsewhere', () => {
    expect(data(ask('10.0.43.10.in-addr.arpa', 'PTR'))).toEqual(['web.default.svc.cluster.local']);
    expect(data(ask('5.0.42.10.in-addr.arpa', 'PTR'))).toEqual(['db-0.db.default.svc.cluster.local']);
    expect(code(ask('99.0.42.10.in-addr.arpa', 'PTR'))).toBe('NXDOMAIN');
    expect(code(ask('8.8.8.8.in-addr.arpa', 'PTR'))).toBe('forward');
  });

  test("a pod's address is in its name", () => {
    expect(data(ask('10-42-0-5.default.pod.cluster.local'))).toEqual(['10.42.0.5']);
    expect(code(ask('10-42-0-500.default.pod.cluster.local'))).toBe('NXDOMAIN');
  });

  test('the version of the specification', () => {
    expect(data(ask('dns-version.cluster.local', 'TXT'))).toEqual(['1.1.0']);
  });

  test('everything else is asked for elsewhere', () => {
    for (const name of ['example.com', 'web', 'db', 'cluster.local.example.com', 'notcluster.local'])
      expect(code(ask(name))).toBe('forward');
  });
});

describe('names of networks', () => {
  test('are known to the pods of the network alone', () => {
    expect(data(ask('db', 'A', '10.42.0.20'))).toEqual(['10.42.0.5', '10.42.0.6']);
    expect(data(ask('DATABASE.', 'A', '10.42.0.20'))).toEqual(['10.42.0.5', '10.42.0.6']);
    expect(code(ask('db', 'A', '10.42.0.21'))).toBe('forward');
    expect(code(ask('db', 'A', '192.0.2.1'))).toBe('forward');
  });

  test('have no IPv6 addresses, and say so at once', () => {
    expect([code(ask('db', 'AAAA', '10.42.0.20')), data(ask('db', 'AAAA', '10.42.0.20'))]).toEqual(['NOERROR', []]);
  });

  test('names of the cluster are known to them as well', () => {
    expect(data(ask('web.default.svc.cluster.local', 'A', '10.42.0.20'))).toEqual(['10.43.0.10']);
  });
});
