import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { Placements } from './placement.ts';
import { plugins } from './plugins/index.ts';
import { podShapeOf } from './pod-shape.ts';
import { Snapshot } from './snapshot.ts';
import { placedOn, testNode, testPod } from './testing.ts';

type Step =
  | { readonly do: 'node'; readonly node: Node }
  | { readonly do: 'remove node'; readonly name: string }
  | { readonly do: 'place'; readonly pod: Pod }
  | { readonly do: 'remove'; readonly pick: number };

const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const zone = fc.constantFrom('z1', 'z2');
const node = fc
  .record({ name: fc.constantFrom(...names), cpu: fc.constantFrom('1', '2', '4'), zone, cordoned: fc.boolean(), tainted: fc.boolean() })
  .map(({ name, cpu, zone, cordoned, tainted }) =>
    testNode(name, {
      cpu,
      labels: { zone },
      spec: { unschedulable: cordoned && tainted, ...(tainted ? { taints: [{ key: 'only', value: 'x', effect: 'NoSchedule' }] } : {}) },
    }),
  );
const spreadConstraint = {
  topologyKey: 'zone',
  maxSkew: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: { app: 'web' } },
};
const antiAffinity = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } },
    ],
  },
};
const pod = fc
  .record({
    cpu: fc.constantFrom('100m', '500m', '1'),
    owner: fc.constantFrom(undefined, 'rs1', 'rs2'),
    app: fc.constantFrom('web', 'db'),
    special: fc.constantFrom('none', 'none', 'none', 'selector', 'port', 'spread', 'anti', 'tolerates'),
  })
  .map(({ cpu, owner, app, special }) =>
    testPod('p', {
      cpu,
      labels: { app },
      ...(owner === undefined ? {} : { owner }),
      spec: {
        ...(special === 'selector' ? { nodeSelector: { zone: 'z1' } } : {}),
        ...(special === 'spread' ? { topologySpreadConstraints: [spreadConstraint] } : {}),
        ...(special === 'anti' ? { affinity: antiAffinity } : {}),
        ...(special === 'tolerates' ? { tolerations: [{ operator: 'Exists' }] } : {}),
        ...(special === 'port' ? { containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort: 80 }] }] } : {}),
      },
    }),
  );
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: node.map((each): Step => ({ do: 'node', node: each })) },
  { weight: 1, arbitrary: fc.constantFrom(...names).map((name): Step => ({ do: 'remove node', name })) },
  { weight: 8, arbitrary: pod.map((each): Step => ({ do: 'place', pod: each })) },
  { weight: 2, arbitrary: fc.nat(100).map((pick): Step => ({ do: 'remove', pick })) },
);

describe('a placement', () => {
  test('is the one that asking every plugin about every node gives, whatever happened before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const snapshot = new Snapshot();
        const placements = new Placements(snapshot, plugins);
        const placed: Pod[] = [];
        for (const [number, each] of steps.entries()) {
          if (each.do === 'node') snapshot.setNode(each.node);
          else if (each.do === 'remove node') snapshot.removeNode(each.name);
          else if (each.do === 'remove') {
            const gone = placed.splice(each.pick % (placed.length + 1), 1)[0];
            if (gone !== undefined) snapshot.removePod(gone);
          } else {
            const shape = podShapeOf(each.pod);
            const slot = placements.choose(shape);
            expect(slot).toBe(new Placements(snapshot, plugins).chooseExhaustively(shape));
            const explained = [...placements.explain(shape).values()];
            expect(explained.some((reasons) => reasons.length === 0)).toBe(slot >= 0);
            if (slot < 0) continue;
            const named = { ...each.pod, metadata: { ...each.pod.metadata, uid: `uid-${number}` } };
            snapshot.assume(`uid-${number}`, shape, slot);
            placed.push(placedOn(named, snapshot.nameOf(slot)));
            if (number % 2 === 0) snapshot.setPod(placed.at(-1)!);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('spreads the pods of a workload, and others where most is left', () => {
    const snapshot = new Snapshot();
    for (const name of ['a', 'b', 'c']) snapshot.setNode(testNode(name));
    const placements = new Placements(snapshot, plugins);
    const place = (uid: string, pod: Pod): string => {
      const shape = podShapeOf(pod);
      const slot = placements.choose(shape);
      snapshot.assume(uid, shape, slot);
      return snapshot.nameOf(slot);
    };
    const web = testPod('web', { cpu: '100m', owner: 'rs' });
    expect(new Set([place('1', web), place('2', web), place('3', web)]).size).toBe(3);
    snapshot.assume('big', podShapeOf(testPod('big', { cpu: '3' })), 0);
    expect(place('4', testPod('other', { cpu: '100m' }))).not.toBe('a');
  });
});

describe('a snapshot', () => {
  test('counts a pod once however often it is assumed, shown and shown again, and lets go of it when it ends', () => {
    const snapshot = new Snapshot();
    snapshot.setNode(testNode('a'));
    snapshot.setNode(testNode('b'));
    const cpu = snapshot.column('cpu');
    const pod = testPod('p', { cpu: '500m' });
    snapshot.assume('uid-default-p', podShapeOf(pod), 0);
    snapshot.setPod(pod);
    expect(snapshot.used(cpu, 0)).toBe(500);
    snapshot.setPod(placedOn(pod, 'b'));
    snapshot.setPod(placedOn(pod, 'b'));
    snapshot.forget('uid-default-p');
    expect([snapshot.used(cpu, 0), snapshot.used(cpu, 1)]).toEqual([0, 500]);
    snapshot.setPod({ ...placedOn(pod, 'b'), status: { phase: 'Succeeded' } });
    expect(snapshot.used(cpu, 1)).toBe(0);
  });

  test('keeps its columns when it grows beyond its first room', () => {
    const snapshot = new Snapshot();
    for (let number = 0; number < 200; number++) {
      snapshot.setNode(testNode(`n${number}`, { status: { allocatable: { cpu: '1', 'example.com/gpu': String(number) } } }));
    }
    const gpu = snapshot.column('example.com/gpu');
    expect(snapshot.allocatable(gpu, 150)).toBe(150);
    snapshot.setNode(testNode('late', { status: { allocatable: { 'example.com/gpu': '7' } } }));
    expect(snapshot.allocatable(gpu, 200)).toBe(7);
  });
});
