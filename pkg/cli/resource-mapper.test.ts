import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type DiscoveryDocument, editDistance, ResourceMapper } from './resource-mapper.ts';

const resource = (plural: string, kind: string, shortNames: string[] = [], categories: string[] = []): object => ({
  resource: plural,
  responseKind: { kind },
  scope: 'Namespaced',
  singularResource: kind.toLowerCase(),
  shortNames,
  categories,
  verbs: ['get', 'list'],
});
const documents = [
  {
    items: [
      {
        metadata: {},
        versions: [{ version: 'v1', resources: [resource('pods', 'Pod', ['po'], ['all']), resource('events', 'Event', ['ev'])] }],
      },
    ],
  },
  {
    items: [
      {
        metadata: { name: 'apps' },
        versions: [{ version: 'v1', resources: [resource('deployments', 'Deployment', ['deploy'], ['all'])] }],
      },
      {
        metadata: { name: 'autoscaling' },
        versions: ['v2', 'v1'].map((version) => ({
          version,
          resources: [resource('horizontalpodautoscalers', 'HorizontalPodAutoscaler', ['hpa'], ['all'])],
        })),
      },
      { metadata: { name: 'events.k8s.io' }, versions: [{ version: 'v1', resources: [resource('events', 'Event', ['ev'])] }] },
    ],
  },
] as unknown as DiscoveryDocument[];
const mapper = new ResourceMapper(documents);
const found = (word: string): string[] => mapper.find(word).map(({ group, version, plural }) => `${plural}.${version}.${group}`);

describe('a word for a type', () => {
  test.each([
    ['pods', ['pods.v1.']],
    ['po', ['pods.v1.']],
    ['Pod', ['pods.v1.']],
    ['PODS', ['pods.v1.']],
    ['deploy', ['deployments.v1.apps']],
    ['deployments.apps', ['deployments.v1.apps']],
    ['deployment.v1.apps', ['deployments.v1.apps']],
    // The core group before the others, the preferred version before the others.
    ['events', ['events.v1.']],
    ['events.events.k8s.io', ['events.v1.events.k8s.io']],
    ['hpa', ['horizontalpodautoscalers.v2.autoscaling']],
    ['hpa.v1.autoscaling', ['horizontalpodautoscalers.v1.autoscaling']],
    ['all', ['pods.v1.', 'deployments.v1.apps', 'horizontalpodautoscalers.v2.autoscaling']],
  ])('%s', (word, resources) => {
    expect(found(word)).toEqual(resources);
  });

  test('that means nothing is refused, with the nearest that does', () => {
    expect(() => mapper.find('podz')).toThrow('the server doesn\'t have a resource type "podz"');
    expect(() => mapper.find('podz')).toThrow(expect.objectContaining({ next: 'Did you mean "pods"?' }));
    expect(() => mapper.find('deployments.batch')).toThrow('resource type "deployments.batch"');
    expect(() => mapper.find('something')).toThrow(expect.objectContaining({ next: expect.stringContaining('api-resources') }));
  });

  test('of a manifest: group, version and kind, to the letter', () => {
    expect(mapper.findKind('apps', 'v1', 'Deployment')?.plural).toBe('deployments');
    expect(mapper.findKind('apps', 'v1', 'deployment')).toBeUndefined();
    expect(mapper.findKind('apps', 'v2', 'Deployment')).toBeUndefined();
  });
});

test('the distance of words: none to itself, the same both ways, at most the longer one', () => {
  expect(editDistance('podz', 'pods')).toBe(1);
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
      const distance = editDistance(a, b);
      expect(distance === 0).toBe(a === b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
    }),
  );
});
