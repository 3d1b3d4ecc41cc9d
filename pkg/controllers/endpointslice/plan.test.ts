import { describe, expect, test } from '@jest/globals';
import type { Pod, Service } from '#api/shapes/types/core-v1';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';
import { subsetsOf } from '../endpoints.ts';
import { type EndpointSlicePlan, hasEndpoints, planEndpointSlices } from './plan.ts';

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 'svc', labels: { team: 'a' } },
    spec: { clusterIP: '10.43.0.9', selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
  };
}

function pod(
  name: string,
  given: { ip?: string; ready?: boolean; port?: number; phase?: string; deleting?: boolean; spec?: Partial<Pod['spec']> } = {},
): Pod {
  const { ip = `10.42.0.${name.length}`, ready = true, port = 8080, phase = 'Running', deleting = false, spec = {} } = given;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...(deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', ports: [{ name: 'http', containerPort: port }] }], ...spec },
    status: {
      phase,
      ...(ip === '' ? {} : { podIP: ip, podIPs: [{ ip }] }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

const noZone = (): undefined => undefined;
const many = (count: number, from = 0): Pod[] =>
  Array.from({ length: count }, (_, index) => pod(`p${from + index}`, { ip: `10.42.${(from + index) >> 8}.${(from + index) & 255}` }));

/** Carries a plan out on slices. */
function apply(existing: readonly EndpointSlice[], plan: EndpointSlicePlan): EndpointSlice[] {
  const kept = existing.filter((slice) => !plan.remove.includes(slice));
  const updated = kept.map((slice) => plan.update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice);
  const created = plan.create.map((draft, index) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    ...draft,
    metadata: { ...draft.metadata, name: `web-${existing.length + index}` },
  }));
  return [...updated, ...created];
}

describe('the slices of a Service', () => {
  test('tell address, ports by name, node, zone and conditions of each pod', () => {
    const { create } = planEndpointSlices(service(), [pod('a')], [], () => 'z1');
    expect(create).toMatchObject([
      {
        metadata: {
          generateName: 'web-',
          labels: {
            team: 'a',
            'kubernetes.io/service-name': 'web',
            'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
          },
          ownerReferences: [{ kind: 'Service', uid: 'svc', controller: true }],
        },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        endpoints: [
          {
            addresses: ['10.42.0.1'],
            conditions: { ready: true, serving: true, terminating: false },
            nodeName: 'node-1',
            zone: 'z1',
            targetRef: { kind: 'Pod', name: 'a', uid: 'uid-a' },
          },
        ],
      },
    ]);
  });

  test('call a pod that goes serving but not ready, and leave out what ended or has no address', () => {
    const pods = [
      pod('going', { deleting: true }),
      pod('x', { ready: false }),
      pod('done', { phase: 'Succeeded' }),
      pod('new', { ip: '' }),
    ];
    const endpoints = planEndpointSlices(service(), pods, [], noZone).create[0]?.endpoints ?? [];
    expect(endpoints.map(({ targetRef, conditions }) => [targetRef?.name, conditions])).toEqual([
      ['going', { ready: false, serving: true, terminating: true }],
      ['x', { ready: false, serving: false, terminating: false }],
    ]);
    const published = planEndpointSlices(service({ publishNotReadyAddresses: true }), pods, [], noZone).create[0]?.endpoints ?? [];
    expect(published.every(({ conditions }) => conditions?.ready)).toBe(true);
  });

  test('keep pods apart whose named port has another number, and leave out those without it', () => {
    const pods = [pod('a'), pod('bb', { port: 9090 }), pod('ccc', { spec: { containers: [{ name: 'main' }] } })];
    const ports = planEndpointSlices(service(), pods, [], noZone).create.map((slice) => [slice.ports?.[0]?.port, slice.endpoints?.length]);
    expect(ports).toEqual([
      [8080, 1],
      [9090, 1],
    ]);
  });

  test('have a host name where the pod names the Service, and exist for headless Services without ports', () => {
    const headless = service({ clusterIP: 'None', ports: [] });
    const { create } = planEndpointSlices(headless, [pod('a', { spec: { hostname: 'first', subdomain: 'web' } })], [], noZone);
    expect(create).toMatchObject([{ ports: [], endpoints: [{ hostname: 'first' }] }]);
    expect(create[0]?.metadata.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
  });

  test('are one empty slice when there are no pods, and that one is used when they come', () => {
    const first = apply([], planEndpointSlices(service(), [], [], noZone));
    expect(first).toMatchObject([{ endpoints: [], ports: [] }]);
    expect(planEndpointSlices(service(), [], first, noZone)).toEqual({ create: [], update: [], remove: [] });
  });

  test('hold a hundred each, and change only where something changed', () => {
    const pods = many(250);
    const slices = apply([], planEndpointSlices(service(), pods, [], noZone));
    expect(slices.map(({ endpoints }) => endpoints?.length)).toEqual([100, 100, 50]);
    expect(planEndpointSlices(service(), pods, slices, noZone)).toEqual({ create: [], update: [], remove: [] });
    const plan = planEndpointSlices(service(), [...pods.slice(0, 120), ...pods.slice(121), ...many(1, 300)], slices, noZone);
    expect(plan.create).toEqual([]);
    expect(plan.remove).toEqual([]);
    expect(plan.update.map(({ metadata }) => metadata.name)).toEqual(['web-1']);
    const fewer = apply(slices, planEndpointSlices(service(), pods.slice(0, 100), slices, noZone));
    expect(fewer.map(({ endpoints }) => endpoints?.length)).toEqual([100]);
  });

  test('are not made for a Service without a selector or a mere name', () => {
    expect(hasEndpoints(service({ selector: {} }))).toBe(false);
    expect(hasEndpoints(service({ type: 'ExternalName' }))).toBe(false);
    expect(hasEndpoints(service())).toBe(true);
  });
});

test('legacy endpoints tell ready addresses from others', () => {
  expect(subsetsOf(service(), [pod('bb'), pod('a'), pod('ccc', { ready: false }), pod('dddd', { deleting: true })])).toMatchObject([
    {
      addresses: [{ ip: '10.42.0.1' }, { ip: '10.42.0.2' }],
      notReadyAddresses: [{ ip: '10.42.0.3' }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ]);
});
