import { describe, expect, test } from '@jest/globals';
import type { Endpoints, Service } from '#api/shapes/types/core-v1';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';
import { isMirrored, planMirror } from './mirror-plan.ts';

const meta = { name: 'db', namespace: 'default', uid: 'u' };
const service = (spec: object = {}, metadata: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...meta, ...metadata },
  spec: { clusterIP: '10.43.0.9', ports: [{ port: 80 }], ...spec },
});
const written = (subsets: NonNullable<Endpoints['subsets']>, metadata: object = {}): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { ...meta, ...metadata },
  subsets,
});
const port = (number: number) => ({ name: '', port: number, protocol: 'TCP' });
const addresses = (...list: string[]) => list.map((ip) => ({ ip }));

/** The slices as they are after a plan. */
function carriedOut(existing: readonly EndpointSlice[], endpoints: Endpoints): EndpointSlice[] {
  const plan = planMirror(endpoints, existing);
  const kept = existing.filter((slice) => !plan.remove.includes(slice));
  return [
    ...kept.map((slice) => plan.update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice),
    ...plan.create.map((draft, index) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      ...draft,
      metadata: { ...draft.metadata, name: `db-${existing.length + index}` },
    })),
  ];
}
const shown = (slices: readonly EndpointSlice[]): unknown =>
  slices.map(({ addressType, ports, endpoints = [] }) => [
    addressType,
    (ports ?? []).map((each) => each.port),
    endpoints.map((endpoint) => `${endpoint.addresses[0]}${endpoint.conditions?.ready === true ? '' : ' not ready'}`),
  ]);

describe('Endpoints that somebody wrote', () => {
  test.each<[string, Endpoints | undefined, Service | undefined, boolean]>([
    ['for a Service without a selector', written([]), service(), true],
    ['for a Service with one: those are ours', written([]), service({ selector: { a: 'b' } }), false],
    ['for no Service', written([]), undefined, false],
    ['for a Service that goes', written([]), service({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), false],
    ['for a mere name', written([]), service({ type: 'ExternalName' }), false],
    ['not to be mirrored', written([], { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }), service(), false],
    ['as a lock', written([], { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }), service(), false],
    ['and took away', undefined, service(), false],
  ])('%s', (_name, endpoints, of, wanted) => {
    expect(isMirrored(endpoints, of)).toBe(wanted);
  });

  test('become a slice for each family and set of ports', () => {
    const subsets = [
      { addresses: addresses('192.0.2.1', '2001:db8::1'), notReadyAddresses: addresses('192.0.2.2', '192.0.2.1'), ports: [{ port: 5432 }] },
      { addresses: addresses('192.0.2.3'), ports: [{ port: 5433 }] },
      { addresses: addresses('192.0.2.4'), ports: [{ port: 5432 }] },
    ];
    const slices = carriedOut([], written(subsets));
    expect(shown(slices)).toEqual([
      ['IPv4', [5432], ['192.0.2.1', '192.0.2.2 not ready', '192.0.2.4']],
      ['IPv6', [5432], ['2001:db8::1']],
      ['IPv4', [5433], ['192.0.2.3']],
    ]);
    expect(planMirror(written(subsets), slices)).toEqual({ create: [], update: [], remove: [] });
  });

  test('hand on their labels and annotations, and own the slices', () => {
    const annotations = { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    const [slice] = carriedOut([], written([{ addresses: addresses('192.0.2.1') }], { labels: { a: 'b' }, annotations }));
    expect(slice?.metadata).toMatchObject({
      labels: {
        a: 'b',
        'kubernetes.io/service-name': 'db',
        'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      },
      annotations: { note: 'x' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Endpoints', name: 'db', uid: 'u', controller: true }],
    });
    expect(slice?.metadata.annotations).toEqual({ note: 'x' });
  });

  test('change in the slice where they are', () => {
    const before = carriedOut([], written([{ addresses: addresses('192.0.2.1'), ports: [port(1)] }]));
    const after = carriedOut(before, written([{ addresses: addresses('192.0.2.2'), ports: [port(1)] }]));
    expect(after.map(({ metadata }) => metadata.name)).toEqual(before.map(({ metadata }) => metadata.name));
    expect(shown(after)).toEqual([['IPv4', [1], ['192.0.2.2']]]);
    expect(shown(carriedOut(after, written([])))).toEqual([]);
  });

  test('are at most a thousand of a group', () => {
    const many = Array.from({ length: 1200 }, (_, index) => ({ ip: `10.${index >> 8}.${index & 255}.1` }));
    expect(carriedOut([], written([{ addresses: many }]))[0]?.endpoints).toHaveLength(1000);
  });
});
