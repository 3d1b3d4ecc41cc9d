import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StatefulSet, StatefulSetSpec } from '#api/shapes/types/apps-v1';
import type { PersistentVolumeClaim, Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { revisionHashLabel } from '../controller-revisions.ts';
import { claimsOf, identityLabels, isLeftBehind, ordinalOf, podOf, withOwners } from './identity.ts';
import { planStatefulSet } from './plan.ts';

const start = Date.UTC(2026, 0, 1);

function setOf(spec: Partial<StatefulSetSpec> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default', uid: 's', generation: 1 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'db' } },
      serviceName: 'db',
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'main' }] } },
      ...spec,
    },
  };
}

/** A set with its pods, played: plans are carried out, pods get ready, fail or go when told. */
class World {
  set: StatefulSet;
  revision = 'db-1';
  pods: Pod[] = [];
  now = start;
  /** The pods in the order in which they were made and removed: `+0`, `-2`. */
  readonly moves: string[] = [];
  #made = 0;

  constructor(spec: Partial<StatefulSetSpec> = {}) {
    this.set = setOf(spec);
  }

  change(spec: Partial<StatefulSetSpec>): void {
    this.set = { ...this.set, spec: { ...this.set.spec, ...spec } };
  }

  plan(): ReturnType<typeof planStatefulSet> {
    const current = this.set.status?.currentRevision ?? this.revision;
    return planStatefulSet(this.set, this.pods, { current, update: this.revision }, this.now);
  }

  step(): boolean {
    const plan = this.plan();
    const before = new Set(this.pods.map(({ metadata }) => metadata.name));
    for (const { ordinal, revision } of plan.create) {
      const draft = podOf(this.set, ordinal, this.set.spec.template, revision);
      expect(before.has(draft.metadata.name)).toBe(false);
      const uid = `u${this.#made++}`;
      this.pods.push({ ...draft, apiVersion: 'v1', kind: 'Pod', metadata: { ...draft.metadata, uid }, status: { phase: 'Pending' } });
      this.moves.push(`+${ordinal}`);
    }
    for (const pod of [...plan.remove, ...plan.ended]) {
      this.#edit(pod, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: formatTime(this.now) } });
      this.moves.push(`-${ordinalOf(this.set, pod)}`);
    }
    this.set = { ...this.set, status: plan.status };
    return plan.create.length + plan.remove.length + plan.ended.length > 0;
  }

  #edit(pod: Pod, to: Pod | undefined): void {
    this.pods = this.pods.flatMap((each) => (each.metadata.uid !== pod.metadata.uid ? [each] : to === undefined ? [] : [to]));
  }

  /** Pods that are going are gone; those that are new run. */
  live(ready: boolean | ((pod: Pod) => boolean) = true): void {
    for (const pod of this.pods) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#edit(pod, undefined);
      else if (pod.status?.phase !== 'Failed') this.become(pod, 'Running', typeof ready === 'function' ? ready(pod) : ready);
    }
  }

  become(pod: Pod, phase: string, ready: boolean): void {
    const before = pod.status?.conditions?.[0];
    const status = ready ? 'True' : 'False';
    const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? '') : formatTime(this.now);
    this.#edit(pod, { ...pod, status: { phase, conditions: [{ type: 'Ready', status, lastTransitionTime }] } });
  }

  settle(): void {
    for (let turn = 0; turn < 100; turn++) {
      const moved = this.step();
      this.live();
      if (!moved && !this.step()) return;
      this.live();
    }
  }

  revisions(): string[] {
    return this.pods
      .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
      .map(({ metadata }) => metadata.labels?.[revisionHashLabel] ?? '');
  }

  pod(ordinal: number): Pod {
    const found = this.pods.find((pod) => ordinalOf(this.set, pod) === ordinal);
    if (found === undefined) throw new Error(`no pod ${ordinal}`);
    return found;
  }
}

describe('an ordered set', () => {
  test('grows one by one, each when those before it serve', () => {
    const world = new World();
    world.step();
    expect(world.step()).toBe(false);
    world.live(false);
    expect(world.step()).toBe(false);
    world.live();
    world.step();
    expect(world.moves).toEqual(['+0', '+1']);
    world.settle();
    expect(world.moves).toEqual(['+0', '+1', '+2']);
    expect(world.set.status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      updatedReplicas: 3,
      currentRevision: 'db-1',
    });
  });

  test('shrinks from the top, one by one', () => {
    const world = new World();
    world.settle();
    world.change({ replicas: 1 });
    world.step();
    expect(world.step()).toBe(false);
    world.settle();
    expect(world.moves.slice(3)).toEqual(['-2', '-1']);
  });

  test('waits until a pod has been ready for long enough', () => {
    const world = new World({ minReadySeconds: 10 });
    world.step();
    world.live();
    expect(world.step()).toBe(false);
    expect(world.plan().after).toBe(10_000);
    expect(world.set.status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
    world.now += 10_000;
    world.step();
    expect(world.moves).toEqual(['+0', '+1']);
  });

  test('makes anew what has ended, with the same name', () => {
    const world = new World();
    world.settle();
    world.become(world.pod(1), 'Failed', false);
    world.step();
    world.settle();
    expect(world.moves.slice(3)).toEqual(['-1', '+1']);
    expect(world.pods).toHaveLength(3);
  });

  test('changes from the top, and waits for each', () => {
    const world = new World();
    world.settle();
    world.revision = 'db-2';
    world.step();
    expect(world.moves.at(-1)).toBe('-2');
    expect(world.set.status).toMatchObject({ updateRevision: 'db-2', currentRevision: 'db-1' });
    world.live();
    world.step();
    world.live(({ metadata }) => metadata.name !== 'db-2');
    expect(world.step()).toBe(false);
    world.settle();
    expect(world.moves.slice(3)).toEqual(['-2', '+2', '-1', '+1', '-0', '+0']);
    expect(world.set.status).toMatchObject({ currentRevision: 'db-2', updatedReplicas: 3, currentReplicas: 3 });
  });

  test('leaves what is below the partition, and brings it back as it was', () => {
    const world = new World({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
    world.settle();
    world.revision = 'db-2';
    world.settle();
    expect(world.revisions()).toEqual(['db-1', 'db-1', 'db-2']);
    world.become(world.pod(0), 'Failed', false);
    world.settle();
    expect(world.revisions()).toEqual(['db-1', 'db-1', 'db-2']);
    world.change({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } });
    world.settle();
    expect(world.revisions()).toEqual(['db-2', 'db-2', 'db-2']);
  });

  test('OnDelete changes what somebody deletes', () => {
    const world = new World({ updateStrategy: { type: 'OnDelete' } });
    world.settle();
    world.revision = 'db-2';
    world.settle();
    expect(world.revisions()).toEqual(['db-1', 'db-1', 'db-1']);
    world.become(world.pod(1), 'Failed', false);
    world.settle();
    expect(world.revisions()).toEqual(['db-1', 'db-2', 'db-1']);
  });

  test('a mistake in a template can be undone', () => {
    const world = new World();
    world.settle();
    world.revision = 'bad';
    world.step();
    world.live();
    world.step();
    world.live(({ metadata }) => metadata.labels?.[revisionHashLabel] !== 'bad');
    expect(world.step()).toBe(false);
    world.revision = 'db-1';
    world.settle();
    expect(world.revisions()).toEqual(['db-1', 'db-1', 'db-1']);
  });

  test('begins where it is told, and moves when that changes', () => {
    const world = new World({ ordinals: { start: 5 }, replicas: 2 });
    world.settle();
    expect(world.moves).toEqual(['+5', '+6']);
    world.change({ ordinals: { start: 6 } });
    world.settle();
    expect(world.moves.slice(2)).toEqual(['+7', '-5']);
  });

  test('keeps its hands still while it is being deleted', () => {
    const world = new World();
    world.set = { ...world.set, metadata: { ...world.set.metadata, deletionTimestamp: formatTime(start) } };
    expect(world.step()).toBe(false);
  });
});

describe('a parallel set', () => {
  test('grows and shrinks at once', () => {
    const world = new World({ podManagementPolicy: 'Parallel' });
    world.step();
    expect(world.moves).toEqual(['+0', '+1', '+2']);
    world.live(false);
    world.change({ replicas: 1 });
    world.step();
    expect(world.moves.slice(3)).toEqual(['-2', '-1']);
  });

  test('changes one after the other, or as many at once as it may', () => {
    const world = new World({ podManagementPolicy: 'Parallel', replicas: 4 });
    world.settle();
    world.revision = 'db-2';
    world.step();
    expect(world.moves.slice(4)).toEqual(['-3']);
    const wide = new World({
      podManagementPolicy: 'Parallel',
      replicas: 4,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: '50%' } },
    });
    wide.settle();
    wide.revision = 'db-2';
    wide.step();
    expect(wide.moves.slice(4)).toEqual(['-3', '-2']);
    wide.settle();
    expect(wide.revisions()).toEqual(['db-2', 'db-2', 'db-2', 'db-2']);
  });
});

describe('whatever happens', () => {
  const policies = fc.constantFrom('OrderedReady', 'Parallel');
  const turns = fc.array(
    fc.record({
      replicas: fc.option(fc.nat(5)),
      revision: fc.option(fc.constantFrom('db-1', 'db-2', 'db-3')),
      partition: fc.option(fc.nat(4)),
      unready: fc.option(fc.nat(5)),
      fail: fc.option(fc.nat(5)),
    }),
    { maxLength: 40 },
  );

  test('no number is there twice, no more is away than allowed, and it comes to rest as it is wanted', () => {
    fc.assert(
      fc.property(policies, turns, (podManagementPolicy, all) => {
        const world = new World({ podManagementPolicy });
        for (const { replicas, revision, partition, unready, fail } of all) {
          if (replicas !== null) world.change({ replicas });
          if (revision !== null) world.revision = revision;
          if (partition !== null) world.change({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } } });
          const plan = world.plan();
          const isReady = (pod: Pod): boolean =>
            pod.status?.conditions?.[0]?.status === 'True' && pod.metadata.deletionTimestamp === undefined;
          if (podManagementPolicy === 'OrderedReady') {
            expect(plan.create.length + plan.remove.length + plan.ended.length).toBeLessThanOrEqual(1);
            for (const { ordinal } of plan.create)
              for (let lower = 0; lower < ordinal; lower++) expect(isReady(world.pod(lower))).toBe(true);
          }
          // For the sake of an update, one that serves is removed only while all others do.
          const updated = plan.remove.filter((pod) => isReady(pod) && !plan.condemned.includes(pod));
          expect(updated.length).toBeLessThanOrEqual(1);
          if (updated.length === 1) expect(world.pods.filter((pod) => !isReady(pod))).toEqual([]);
          world.step();
          const names = world.pods.map(({ metadata }) => metadata.name);
          expect(new Set(names).size).toBe(names.length);
          world.live((pod) => ordinalOf(world.set, pod) !== unready);
          const victim = world.pods.find((pod) => ordinalOf(world.set, pod) === fail && pod.metadata.deletionTimestamp === undefined);
          if (victim !== undefined) world.become(victim, 'Failed', false);
        }
        world.live();
        world.settle();
        world.live();
        world.settle();
        const { replicas = 1, updateStrategy } = world.set.spec;
        const partition = updateStrategy?.rollingUpdate?.partition ?? 0;
        expect(world.pods.map((pod) => ordinalOf(world.set, pod) ?? -1).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: replicas }, (_, index) => index),
        );
        for (const pod of world.pods) {
          if ((ordinalOf(world.set, pod) ?? 0) >= partition) expect(pod.metadata.labels?.[revisionHashLabel]).toBe(world.revision);
        }
        expect(world.step()).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

describe('who a pod is', () => {
  const claims: PersistentVolumeClaim[] = [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', labels: { tier: 'gold' } },
      spec: { accessModes: ['ReadWriteOnce'] },
    },
  ];
  const set = setOf({ volumeClaimTemplates: claims });

  test('is told by its name, labels, host name and claims', () => {
    const pod = podOf(
      set,
      2,
      {
        ...set.spec.template,
        spec: {
          ...set.spec.template.spec,
          volumes: [
            { name: 'data', emptyDir: {} },
            { name: 'tmp', emptyDir: {} },
          ],
        },
      },
      'db-1',
    );
    expect(pod).toMatchObject({
      metadata: { name: 'db-2', labels: { app: 'db', ...identityLabels(set, 2), [revisionHashLabel]: 'db-1' } },
      spec: {
        hostname: 'db-2',
        subdomain: 'db',
        volumes: [
          { name: 'data', persistentVolumeClaim: { claimName: 'data-db-2' } },
          { name: 'tmp', emptyDir: {} },
        ],
      },
    });
    expect(claimsOf(set, 2)).toMatchObject([{ metadata: { name: 'data-db-2', labels: { tier: 'gold', app: 'db' } } }]);
    expect(
      ['db-0', 'db-12', 'db-01', 'db-x', 'other-1', 'db'].map((name) =>
        ordinalOf(set, { ...pod, apiVersion: 'v1', kind: 'Pod', metadata: { name } }),
      ),
    ).toEqual([0, 12, undefined, undefined, undefined, undefined]);
  });

  test('decides with whom its claims go', () => {
    const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'db-2', uid: 'p' }, spec: { containers: [] } };
    const claim = (ownerReferences: { kind: string; uid: string }[] = []): PersistentVolumeClaim => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data-db-2', ownerReferences: ownerReferences.map((each) => ({ apiVersion: 'v1', name: 'x', ...each })) },
      spec: {},
    });
    const uids = (policy: object, isCondemned: boolean, present = claim()): (string | undefined)[] | undefined =>
      withOwners(setOf({ persistentVolumeClaimRetentionPolicy: policy }), present, pod, isCondemned)?.map(({ uid }) => uid);
    expect(uids({ whenDeleted: 'Retain', whenScaled: 'Retain' }, true)).toBeUndefined();
    expect(uids({ whenDeleted: 'Delete', whenScaled: 'Retain' }, true)).toEqual(['s']);
    expect(uids({ whenDeleted: 'Retain', whenScaled: 'Delete' }, false)).toBeUndefined();
    expect(uids({ whenDeleted: 'Retain', whenScaled: 'Delete' }, true)).toEqual(['p']);
    expect(uids({ whenDeleted: 'Delete', whenScaled: 'Delete' }, true)).toEqual(['p']);
    expect(uids({ whenDeleted: 'Delete', whenScaled: 'Delete' }, false, claim([{ kind: 'Pod', uid: 'p' }]))).toEqual(['s']);
    expect(
      uids(
        {},
        false,
        claim([
          { kind: 'Other', uid: 'o' },
          { kind: 'StatefulSet', uid: 's' },
        ]),
      ),
    ).toEqual(['o']);
    expect(isLeftBehind(claim([{ kind: 'Pod', uid: 'former' }]), undefined)).toBe(true);
    expect(isLeftBehind(claim([{ kind: 'StatefulSet', uid: 's' }]), undefined)).toBe(false);
  });
});
