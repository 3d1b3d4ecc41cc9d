import { describe, expect, test } from '@jest/globals';
import { compareVersions, type DiscoveredResource, Discovery } from './discovery.ts';

const pods: DiscoveredResource = {
  group: '',
  version: 'v1',
  plural: 'pods',
  singular: 'pod',
  kind: 'Pod',
  namespaced: true,
  verbs: ['create', 'get', 'list'],
  shortNames: ['po'],
  categories: ['all'],
  subresources: [{ name: 'eviction', kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] }],
};
const autoscalers = (version: string): DiscoveredResource => ({
  ...pods,
  group: 'autoscaling',
  version,
  plural: 'horizontalpodautoscalers',
  kind: 'HorizontalPodAutoscaler',
  subresources: [],
});
const discovery = new Discovery([pods, autoscalers('v1'), autoscalers('v2')]);

describe('discovery', () => {
  test('says in one document what a root serves', () => {
    expect(discovery.aggregated('api', 'v2').body).toMatchObject({
      kind: 'APIGroupDiscoveryList',
      apiVersion: 'apidiscovery.k8s.io/v2',
      items: [
        {
          metadata: {},
          versions: [
            {
              version: 'v1',
              freshness: 'Current',
              resources: [
                {
                  resource: 'pods',
                  responseKind: { group: '', version: 'v1', kind: 'Pod' },
                  scope: 'Namespaced',
                  singularResource: 'pod',
                  shortNames: ['po'],
                  subresources: [{ subresource: 'eviction', responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' } }],
                },
              ],
            },
          ],
        },
      ],
    });
    expect(discovery.aggregated('apis', 'v2beta1').body).toMatchObject({
      apiVersion: 'apidiscovery.k8s.io/v2beta1',
      items: [{ metadata: { name: 'autoscaling' }, versions: [{ version: 'v2' }, { version: 'v1' }] }],
    });
  });

  test('says it in the legacy documents too', () => {
    expect(discovery.versions('host:1').body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    expect(discovery.groups().body).toMatchObject({
      groups: [{ name: 'autoscaling', preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' } }],
    });
    expect(discovery.group('autoscaling')?.body).toMatchObject({ kind: 'APIGroup', versions: [{ version: 'v2' }, { version: 'v1' }] });
    expect(discovery.resources('', 'v1')?.body).toMatchObject({
      groupVersion: 'v1',
      resources: [
        { name: 'pods', singularName: 'pod' },
        { name: 'pods/eviction', group: 'policy', version: 'v1', kind: 'Eviction' },
      ],
    });
    for (const none of [discovery.group(''), discovery.group('x'), discovery.resources('autoscaling', 'v3')]) expect(none).toBeUndefined();
  });

  test('has an ETag that changes with the content', () => {
    const other = new Discovery([pods]);
    expect(discovery.groups().etag).toBe(new Discovery([pods, autoscalers('v2'), autoscalers('v1')]).groups().etag);
    expect(discovery.groups().etag).not.toBe(other.groups().etag);
  });
});

test('versions stand in the order of Kubernetes', () => {
  const ordered = ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'foo1', 'foo10'];
  expect(ordered.toReversed().toSorted(compareVersions)).toEqual(ordered);
});
