import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nodes, podDisruptionBudgets, pods } from '#api/shapes/resources';
import type { Pod, PodSpec } from '#api/shapes/types/core-v1';
import type { PodDisruptionBudget } from '#api/shapes/types/policy-v1';
import { Placements } from './placement.ts';
import { plugins } from './plugins/index.ts';
import { podShapeOf } from './pod-shape.ts';
import { Snapshot } from './snapshot.ts';
import { placedOn, testNode, testPod, withWorld } from './testing.ts';
import { findVictims } from './victims.ts';

type Given = Parameters<typeof testPod>[1];
const ranked = (name: string, priority: number, given: Given = {}): Pod =>
  testPod(name, { cpu: '1', ...given, spec: { priority, ...given?.spec } });

/** The names of those that would have to go for the pod, with their node; undefined: it would not help. */
function victimsOf(
  pod: Pod,
  cluster: Readonly<Record<string, readonly Pod[]>>,
  options: { cpu?: string; budgets?: readonly PodDisruptionBudget[] } = {},
): { node: string; gone: string[] } | undefined {
  const snapshot = new Snapshot();
  const placed = new Map<string, Pod[]>();
  for (const [node, list] of Object.entries(cluster)) {
    snapshot.setNode(testNode(node, { cpu: options.cpu ?? '2', labels: { zone: node } }));
    const there = list.map((each) => placedOn(each, node));
    placed.set(node, there);
    for (const each of there) snapshot.setPod(each);
  }
  const before = JSON.stringify([...placed.keys()].map((_, slot) => [...snapshot.podsOn(slot)].map(({ uid }) => uid).toSorted()));
  const { version } = snapshot;
  const found = findVictims({
    placements: new Placements(snapshot, plugins),
    snapshot,
    shape: podShapeOf(pod),
    priority: pod.spec.priority ?? 0,
    podsOn: (node) => placed.get(node) ?? [],
    reservedOn: () => [],
    budgets: options.budgets ?? [],
  });
  const after = JSON.stringify([...placed.keys()].map((_, slot) => [...snapshot.podsOn(slot)].map(({ uid }) => uid).toSorted()));
  expect([after, snapshot.version]).toEqual([before, version]);
  if (found === undefined) return undefined;
  return { node: snapshot.nameOf(found.slot), gone: found.pods.map(({ metadata }) => metadata.name ?? '').toSorted() };
}

describe('victims', () => {
  test('are of lower priority, and no more than it takes', () => {
    const urgent = ranked('urgent', 10);
    expect(victimsOf(urgent, { a: [ranked('x', 10), ranked('y', 20)] })).toBeUndefined();
    expect(victimsOf(urgent, { a: [ranked('x', 1), ranked('y', 2)] })).toEqual({ node: 'a', gone: ['x'] });
    expect(victimsOf(ranked('urgent', 10, { cpu: '2' }), { a: [ranked('x', 1), ranked('y', 2)] })).toEqual({ node: 'a', gone: ['x', 'y'] });
    expect(victimsOf(ranked('urgent', 10, { cpu: '3' }), { a: [ranked('x', 1), ranked('y', 2)] })).toBeUndefined();
  });

  test('are those whose most important one is the least important, then the fewest', () => {
    const urgent = ranked('urgent', 10, { cpu: '2' });
    expect(victimsOf(urgent, { a: [ranked('a1', 5), ranked('a2', 1)], b: [ranked('b1', 4), ranked('b2', 4)] })).toMatchObject({
      node: 'b',
    });
    expect(victimsOf(urgent, { a: [ranked('a1', 4), ranked('a2', 4)], b: [ranked('b1', 4, { cpu: '2' })] })).toMatchObject({ node: 'b' });
  });

  test('are the youngest among equals', () => {
    const since = (pod: Pod, startTime: string): Pod => ({ ...pod, status: { ...pod.status, startTime } });
    const old = since(ranked('old', 1), '2026-01-01T00:00:00Z');
    const young = since(ranked('young', 1), '2026-01-02T00:00:00Z');
    expect(victimsOf(ranked('urgent', 10), { a: [young, old] })).toEqual({ node: 'a', gone: ['young'] });
    expect(
      victimsOf(ranked('urgent', 10, { cpu: '2' }), {
        a: [ranked('x', 1, { cpu: '2' })].map((pod) => since(pod, '2026-01-01T00:00:00Z')),
        b: [ranked('y', 1, { cpu: '2' })].map((pod) => since(pod, '2026-01-02T00:00:00Z')),
      }),
    ).toMatchObject({ node: 'b' });
  });

  test('break a budget only where nothing else helps', () => {
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'db' } } },
      status: { disruptionsAllowed: 0 },
    } as PodDisruptionBudget;
    const db = ranked('db', 1, { labels: { app: 'db' } });
    expect(victimsOf(ranked('urgent', 10), { a: [db, ranked('x', 5)] }, { budgets: [budget] })).toEqual({ node: 'a', gone: ['x'] });
    expect(victimsOf(ranked('urgent', 10), { a: [db, ranked('x', 20)] }, { budgets: [budget] })).toEqual({ node: 'a', gone: ['db'] });
    expect(
      victimsOf(ranked('urgent', 10), { a: [db, ranked('x', 20)], b: [ranked('y', 9), ranked('z', 20)] }, { budgets: [budget] }),
    ).toEqual({
      node: 'b',
      gone: ['y'],
    });
  });

  test('do not help where a node is refused for something else', () => {
    const choosy = ranked('urgent', 10, { spec: { nodeSelector: { zone: 'b' } } });
    expect(victimsOf(choosy, { a: [ranked('x', 1), ranked('y', 1)] })).toBeUndefined();
    expect(victimsOf(choosy, { a: [ranked('x', 1), ranked('y', 1)], b: [ranked('z', 1), ranked('w', 2)] })).toEqual({
      node: 'b',
      gone: ['z'],
    });
  });

  test('are also those that keep the pod away', () => {
    const spec: Partial<PodSpec> = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: { matchLabels: { app: 'noisy' } } }],
        },
      },
    };
    const noisy = ranked('noisy', 1, { cpu: '100m', labels: { app: 'noisy' } });
    expect(victimsOf(ranked('quiet', 10, { spec }), { a: [noisy, ranked('x', 1, { cpu: '100m' })] })).toEqual({
      node: 'a',
      gone: ['noisy'],
    });
  });

  test('make room, are all needed, and are all of lower priority, whatever there is', () => {
    const some = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 6 })), { maxLength: 5 });
    fc.assert(
      fc.property(some, some, fc.integer({ min: 1, max: 8 }), (first, second, wanted) => {
        const make = (prefix: string, list: readonly (readonly [number, number])[]): Pod[] => {
          let free = 8;
          return list.flatMap(([cpu, priority], index) => {
            if (cpu > free) return [];
            free -= cpu;
            return [ranked(`${prefix}${index}`, priority, { cpu: String(cpu) })];
          });
        };
        const cluster: Record<string, Pod[]> = { a: make('a', first), b: make('b', second) };
        const cpuOf = (pod: Pod): number => Number(pod.spec.containers[0]?.resources?.requests?.cpu);
        const usedBy = (list: readonly Pod[]): number => list.reduce((sum, pod) => sum + cpuOf(pod), 0);
        const found = victimsOf(ranked('urgent', 4, { cpu: String(wanted) }), cluster, { cpu: '8' });
        const possible = Object.values(cluster).some(
          (list) =>
            list.some((pod) => (pod.spec.priority ?? 0) < 4) && usedBy(list.filter((pod) => (pod.spec.priority ?? 0) >= 4)) + wanted <= 8,
        );
        expect(found !== undefined).toBe(possible);
        if (found === undefined) return;
        const list = cluster[found.node] ?? [];
        const gone = list.filter(({ metadata }) => found.gone.includes(metadata.name ?? ''));
        const stay = list.filter((pod) => !gone.includes(pod));
        expect(gone.every((pod) => (pod.spec.priority ?? 0) < 4)).toBe(true);
        expect(usedBy(stay) + wanted).toBeLessThanOrEqual(8);
        for (const pod of gone) expect(usedBy(stay) + cpuOf(pod) + wanted).toBeGreaterThan(8);
      }),
      { numRuns: 300, seed: 20_260_101 },
    );
  });
});

describe('a pod of high priority that fits nowhere', () => {
  const exists = async (world: Parameters<Parameters<typeof withWorld>[0]>[0], name: string): Promise<boolean> =>
    (await world.client.find(pods, { namespace: 'default', name })) !== undefined;

  test('gets the place of one of lower priority, and both are told', () =>
    withWorld(async (world) => {
      await world.node(testNode('a', { cpu: '2' }));
      for (const [name, priority] of [
        ['low', 1],
        ['middle', 5],
      ] as const)
        await world.pod(ranked(name, priority));
      await world.pass(100);
      await world.pod(ranked('urgent', 10));
      await world.pass(1_000);
      expect([await world.nodeOf('urgent'), await world.nodeOf('middle'), await exists(world, 'low')]).toEqual(['a', 'a', false]);
      expect((await world.client.get(pods, { namespace: 'default', name: 'urgent' })).status?.nominatedNodeName).toBe('a');
      expect((await world.eventsOf('low')).find(({ reason }) => reason === 'Preempted')?.message).toBe(
        'Preempted by pod uid-default-urgent on node a',
      );
      expect((await world.eventsOf('urgent')).map(({ reason, message }) => [reason, message])).toContainEqual([
        'FailedScheduling',
        'no node has room; a pod of lower priority than 10 on a makes way for it',
      ]);
    }));

  test('waits for a victim that takes its time, asks for no other, and nobody takes its place meanwhile', () =>
    withWorld(async (world) => {
      await world.node(testNode('a', { cpu: '2' }));
      for (const name of ['one', 'two']) await world.pod(ranked(name, 1));
      await world.pass(100);
      // Deletions only mark: as of pods that end gracefully.
      const inner = world.transport.send.bind(world.transport);
      const marked: string[] = [];
      world.transport.send = async (request) => {
        if (request.verb !== 'delete' || request.resource.plural !== 'pods') return await inner(request);
        marked.push(request.name ?? '');
        const key = { namespace: 'default', name: request.name ?? '' };
        return await inner({ ...request, verb: 'get', ...key });
      };
      await world.pod(ranked('urgent', 10));
      await world.pass(20_000);
      expect(marked).toHaveLength(1);
      await world.pod(ranked('late', 1));
      await world.pass(1_000);
      world.transport.send = inner;
      await world.client.delete(pods, { namespace: 'default', name: marked[0] ?? '' });
      await world.pass(1_000);
      expect([await world.nodeOf('urgent'), await world.nodeOf('late')]).toEqual(['a', undefined]);
    }));

  test('leaves others alone if it is told never to, or if that would not help', () =>
    withWorld(async (world) => {
      await world.node(testNode('a', { cpu: '2' }));
      for (const name of ['one', 'two']) await world.pod(ranked(name, 1));
      await world.pass(100);
      await world.pod(ranked('polite', 10, { spec: { preemptionPolicy: 'Never' } }));
      await world.pod(ranked('huge', 10, { cpu: '3' }));
      await world.pass(60_000);
      expect([await exists(world, 'one'), await exists(world, 'two'), await world.nodeOf('polite')]).toEqual([true, true, undefined]);
    }));

  test('takes its chance when what kept it away is gone', () =>
    withWorld(async (world) => {
      await world.node(testNode('a', { cpu: '2' }));
      await world.pod(ranked('low', 1));
      await world.pod(ranked('first', 20));
      await world.pass(100);
      await world.pod(ranked('urgent', 10, { cpu: '2' }));
      await world.pass(10_000);
      expect(await exists(world, 'low')).toBe(true);
      await world.client.delete(pods, { namespace: 'default', name: 'first' });
      await world.pass(10_000);
      expect([await exists(world, 'low'), await world.nodeOf('urgent')]).toEqual([false, 'a']);
    }));

  test('keeps budgets where it can', () =>
    withWorld(async (world) => {
      await world.client.create(podDisruptionBudgets, {
        metadata: { namespace: 'default', name: 'db' },
        spec: { selector: { matchLabels: { app: 'db' } } },
        status: { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
      });
      for (const name of ['a', 'b']) await world.node(testNode(name, { cpu: '1' }));
      await world.pod(ranked('db', 1, { labels: { app: 'db' } }));
      await world.pod(ranked('web', 5));
      await world.pass(100);
      await world.pod(ranked('urgent', 10));
      await world.pass(1_000);
      expect([await exists(world, 'db'), await exists(world, 'web')]).toEqual([true, false]);
      expect(await world.nodeOf('urgent')).toBeDefined();
      expect((await world.client.list(nodes)).items).toHaveLength(2);
    }));

  test('and its equals come to rest, each with a place of its own', () =>
    withWorld(async (world) => {
      for (const name of ['a', 'b']) await world.node(testNode(name, { cpu: '2' }));
      for (let number = 0; number < 4; number++) await world.pod(ranked(`low${number}`, number % 2));
      await world.pass(100);
      for (let number = 0; number < 3; number++) await world.pod(ranked(`urgent${number}`, 10));
      for (let number = 0; number < 2; number++) await world.pod(ranked(`middle${number}`, 5));
      await world.pass(30_000);
      const all = (await world.client.list(pods)).items;
      expect(all.filter(({ metadata, spec }) => metadata.name?.startsWith('urgent') && spec.nodeName !== undefined)).toHaveLength(3);
      expect(all.filter(({ metadata, spec }) => metadata.name?.startsWith('middle') && spec.nodeName !== undefined)).toHaveLength(1);
      expect(all.filter(({ metadata }) => metadata.name?.startsWith('low'))).toHaveLength(0);
    }));
});
