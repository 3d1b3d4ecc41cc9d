import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DaemonSet, RollingUpdateDaemonSet } from '#api/shapes/types/apps-v1';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { revisionHashLabel } from '../controller-revisions.ts';
import { planDaemonSet, specForNode, targetNodeOf } from './plan.ts';

const start = Date.UTC(2026, 0, 1);

/** A DaemonSet on its nodes, played: plans are carried out, pods get ready or not when told. */
class World {
  readonly set: DaemonSet;
  nodes: Node[];
  pods: Pod[] = [];
  hash = 'one';
  #made = 0;

  constructor(count: number, rollingUpdate: RollingUpdateDaemonSet) {
    this.nodes = Array.from(
      { length: count },
      (_, index): Node => ({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: `n${index}`, labels: {} },
        spec: {},
      }),
    );
    this.set = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'd', namespace: 'default', uid: 'd' },
      spec: {
        selector: { matchLabels: {} },
        template: { spec: { containers: [] } },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate },
      },
    };
  }

  plan(): ReturnType<typeof planDaemonSet> {
    return planDaemonSet(this.set, this.nodes, this.pods, this.hash, start);
  }

  step(): boolean {
    const { create, remove } = this.plan();
    for (const pod of remove) this.#edit(pod, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: formatTime(start) } });
    for (const node of create) {
      const name = `p${this.#made++}`;
      this.pods.push({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, uid: name, creationTimestamp: formatTime(start + this.#made * 1000), labels: { [revisionHashLabel]: this.hash } },
        spec: { ...specForNode({ containers: [] }, node), nodeName: node },
        status: { phase: 'Pending' },
      });
    }
    return create.length + remove.length > 0;
  }

  /** Pods that are going are gone; the others run. */
  live(isReady: (pod: Pod) => boolean = () => true): void {
    for (const pod of this.pods) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#edit(pod, undefined);
      else {
        const status = isReady(pod) ? 'True' : 'False';
        this.#edit(pod, {
          ...pod,
          status: { phase: 'Running', conditions: [{ type: 'Ready', status, lastTransitionTime: formatTime(start) }] },
        });
      }
    }
  }

  #edit(pod: Pod, to: Pod | undefined): void {
    this.pods = this.pods.flatMap((each) => (each.metadata.uid !== pod.metadata.uid ? [each] : to === undefined ? [] : [to]));
  }

  /** Nodes on which a pod serves. */
  served(): Set<string | undefined> {
    return new Set(this.pods.filter(serves).map(targetNodeOf));
  }
}

function serves(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && pod.status?.conditions?.[0]?.status === 'True';
}

const turns = fc.array(
  fc.record({
    hash: fc.option(fc.constantFrom('one', 'two', 'three')),
    unready: fc.option(fc.nat(7)),
    taint: fc.option(fc.nat(7)),
    untaint: fc.option(fc.nat(7)),
  }),
  { maxLength: 30 },
);

describe('a rollout, whatever happens', () => {
  test.each<[string, RollingUpdateDaemonSet, number]>([
    ['one at a time', { maxUnavailable: 1, maxSurge: 0 }, 1],
    ['a share at a time', { maxUnavailable: '40%', maxSurge: 0 }, 3],
    ['side by side', { maxUnavailable: 0, maxSurge: 2 }, 0],
  ])('%s: takes no more away than it may, and comes to rest on every node', (_name, strategy, most) => {
    fc.assert(
      fc.property(turns, (all) => {
        const world = new World(7, strategy);
        for (const { hash, unready, taint, untaint } of all) {
          if (hash !== null) world.hash = hash;
          const set = (index: number | null, taints: Node['spec']): void => {
            world.nodes = world.nodes.map((node, at) => (at === index ? { ...node, spec: taints ?? {} } : node));
          };
          set(taint, { taints: [{ key: 'k', effect: 'NoSchedule' }] });
          set(untaint, {});
          const before = world.served();
          const { remove, status } = world.plan();
          const lost = remove.filter(
            (pod) => serves(pod) && !world.pods.some((each) => each !== pod && serves(each) && targetNodeOf(each) === targetNodeOf(pod)),
          );
          if (lost.length > 0)
            expect(status.desiredNumberScheduled - (before.size - lost.length)).toBeLessThanOrEqual(
              most + world.nodes.length - status.desiredNumberScheduled,
            );
          world.step();
          const perNode = new Map<string, number>();
          for (const pod of world.pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)) {
            const node = targetNodeOf(pod) ?? '';
            perNode.set(node, (perNode.get(node) ?? 0) + 1);
          }
          expect([...perNode.values()].filter((count) => count > 1).length).toBeLessThanOrEqual(Number(strategy.maxSurge ?? 0));
          world.live((pod) => targetNodeOf(pod) !== `n${unready}`);
        }
        for (let turn = 0; turn < 60; turn++) {
          world.live();
          if (!world.step()) break;
        }
        world.live();
        expect(world.step()).toBe(false);
        const free = world.nodes.filter(({ spec }) => (spec?.taints ?? []).length === 0).map(({ metadata }) => metadata.name);
        for (const name of free) {
          const here = world.pods.filter((pod) => targetNodeOf(pod) === name);
          expect(here.map(({ metadata }) => metadata.labels?.[revisionHashLabel])).toEqual([world.hash]);
        }
        expect(world.plan().status).toMatchObject({ desiredNumberScheduled: free.length, numberUnavailable: 0 });
      }),
      { numRuns: 200 },
    );
  });
});
