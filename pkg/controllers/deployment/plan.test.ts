import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Deployment, DeploymentSpec, ReplicaSet } from '#api/shapes/types/apps-v1';
import { planDeployment } from './plan.ts';
import { limitsOf, sizeOf } from './strategy.ts';

const start = Date.UTC(2026, 0, 1);

/** A Deployment with its ReplicaSets and their pods, played: plans are carried out, pods come and go when told. */
class World {
  deployment: Deployment;
  replicaSets: ReplicaSet[] = [];
  now = start;
  #created = 0;

  constructor(spec: Partial<DeploymentSpec> = {}) {
    this.deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default', uid: 'd1', generation: 1 },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web' } },
        template: this.template('v1'),
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 10,
        ...spec,
      },
    };
  }

  template(image: string): DeploymentSpec['template'] {
    return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } };
  }

  change(spec: Partial<DeploymentSpec>): void {
    const generation = (this.deployment.metadata.generation ?? 0) + 1;
    this.deployment = {
      ...this.deployment,
      metadata: { ...this.deployment.metadata, generation },
      spec: { ...this.deployment.spec, ...spec },
    };
  }

  /** One reconcile; gives whether anything was done. */
  step(): boolean {
    const oldPodsRun = this.replicaSets.some(
      (each) => this.imageOf(each) !== this.imageOf(this.deployment) && (each.status?.replicas ?? 0) > 0,
    );
    const plan = planDeployment(this.deployment, this.replicaSets, oldPodsRun, this.now);
    for (const action of plan.actions) {
      if (action.type === 'create') {
        const { metadata, spec } = action.replicaSet;
        const created = new Date(start + this.#created++ * 1000).toISOString();
        this.replicaSets.push({
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: { ...metadata, creationTimestamp: created, uid: metadata.name },
          spec,
        });
      } else if (action.type === 'update') {
        this.replicaSets = this.replicaSets.map((each) => (each.metadata.name === action.before.metadata.name ? action.replicaSet : each));
      } else if (action.type === 'delete') {
        this.replicaSets = this.replicaSets.filter((each) => each.metadata.name !== action.replicaSet.metadata.name);
      } else {
        const annotations = { ...this.deployment.metadata.annotations, 'deployment.kubernetes.io/revision': action.revision };
        this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, annotations } };
      }
    }
    this.deployment = { ...this.deployment, status: plan.status };
    return plan.actions.length > 0;
  }

  /** The ReplicaSet's controller makes or removes its pods, and so many of them are available (all unless given). */
  observe(index: number, available = Number.POSITIVE_INFINITY): void {
    const target = this.replicaSets[index];
    if (target === undefined) return;
    const replicas = sizeOf(target);
    const count = Math.min(replicas, available);
    const status = { replicas, readyReplicas: count, availableReplicas: count, observedGeneration: target.metadata.generation ?? 0 };
    this.replicaSets = this.replicaSets.map((each) => (each === target ? { ...each, status } : each));
  }

  settle(): void {
    for (let turn = 0; turn < 100; turn++) {
      const busy = this.step();
      for (const index of this.replicaSets.keys()) this.observe(index);
      if (!busy && turn > 2) return;
    }
    throw new Error('does not come to rest');
  }

  /** Pods that are available and may stay. */
  available(): number {
    return this.replicaSets.reduce((sum, each) => sum + Math.min(sizeOf(each), each.status?.availableReplicas ?? 0), 0);
  }

  imageOf(object: Deployment | ReplicaSet): string {
    return object.spec.template?.spec?.containers[0]?.image ?? '';
  }

  /** Image and size of each ReplicaSet that has pods to have. */
  sizes(): Record<string, number> {
    return Object.fromEntries(this.replicaSets.filter((each) => sizeOf(each) > 0).map((each) => [this.imageOf(each), sizeOf(each)]));
  }

  condition(type: string) {
    return this.deployment.status?.conditions?.find((condition) => condition.type === type);
  }

  revisions(): Record<string, string | undefined> {
    return Object.fromEntries(
      this.replicaSets.map((each) => [this.imageOf(each), each.metadata.annotations?.['deployment.kubernetes.io/revision']]),
    );
  }
}

describe('the plan of a Deployment', () => {
  test('makes a first ReplicaSet and says so until all are available', () => {
    const world = new World();
    world.step();
    expect(world.sizes()).toEqual({ v1: 3 });
    expect(world.condition('Progressing')).toMatchObject({ status: 'True', reason: 'NewReplicaSetCreated' });
    expect(world.condition('Available')).toMatchObject({ status: 'False', reason: 'MinimumReplicasUnavailable' });
    world.settle();
    expect(world.condition('Progressing')).toMatchObject({
      reason: 'NewReplicaSetAvailable',
      message: expect.stringMatching(/^ReplicaSet "web-[a-z0-9]{10}" has successfully progressed\.$/),
    });
    expect(world.condition('Available')).toMatchObject({ status: 'True', message: 'Deployment has minimum availability.' });
    expect(world.deployment.status).toMatchObject({ replicas: 3, updatedReplicas: 3, availableReplicas: 3, unavailableReplicas: 0 });
    expect(world.deployment.metadata.annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' });
    expect(world.step()).toBe(false);
  });

  test('keeps within surge and unavailability at every step, and comes to the new template, whatever the order of things', () => {
    fc.assert(
      fc.property(
        fc.record({
          replicas: fc.integer({ min: 0, max: 12 }),
          maxSurge: fc.constantFrom<(number | string)[]>(0, 1, 3, '25%', '100%'),
          maxUnavailable: fc.constantFrom<(number | string)[]>(0, 1, 2, '25%', '50%'),
        }),
        fc.array(fc.record({ set: fc.nat(2), available: fc.nat(12) }), { maxLength: 40 }),
        ({ replicas, maxSurge, maxUnavailable }, happenings) => {
          const world = new World({ replicas, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } });
          world.settle();
          world.change({ template: world.template('v2') });
          const { surge, unavailable } = limitsOf(world.deployment);
          for (const { set, available } of happenings) {
            const before = world.available();
            world.step();
            expect(world.replicaSets.reduce((sum, each) => sum + sizeOf(each), 0)).toBeLessThanOrEqual(replicas + surge);
            // Taking away what is available never goes below the least.
            if (world.available() < before) expect(world.available()).toBeGreaterThanOrEqual(replicas - unavailable);
            world.observe(set, set === 0 ? undefined : available);
          }
          world.settle();
          expect(world.sizes()).toEqual(replicas === 0 ? {} : { v2: replicas });
          expect(world.condition('Progressing')?.reason).toBe('NewReplicaSetAvailable');
        },
      ),
      { numRuns: 300 },
    );
  });

  test('with Recreate lets all old pods go before a new one comes', () => {
    const world = new World({ strategy: { type: 'Recreate' } });
    world.settle();
    world.change({ template: world.template('v2') });
    world.step();
    expect(world.sizes()).toEqual({});
    world.step();
    expect(world.replicaSets).toHaveLength(1);
    world.observe(0);
    world.step();
    expect(world.sizes()).toEqual({ v2: 3 });
  });

  test('numbers revisions, and a template that was there before becomes the newest again', () => {
    const world = new World();
    for (const image of ['v1', 'v2', 'v3']) {
      world.change({ template: world.template(image) });
      world.settle();
    }
    expect(world.revisions()).toEqual({ v1: '1', v2: '2', v3: '3' });
    world.change({ template: world.template('v1') });
    world.settle();
    expect(world.revisions()).toEqual({ v1: '4', v2: '2', v3: '3' });
    expect(world.sizes()).toEqual({ v1: 3 });
    expect(world.deployment.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('4');
    expect(world.replicaSets[0]?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('1');
  });

  test('keeps as many old revisions as it is told', () => {
    const world = new World({ revisionHistoryLimit: 2 });
    for (let version = 1; version <= 6; version++) {
      world.change({ template: world.template(`v${version}`) });
      world.settle();
    }
    expect(Object.keys(world.revisions()).toSorted()).toEqual(['v4', 'v5', 'v6']);
  });

  test('rolls nothing while paused but scales, and says both', () => {
    const world = new World();
    world.settle();
    world.change({ paused: true, template: world.template('v2') });
    world.settle();
    expect(world.sizes()).toEqual({ v1: 3 });
    expect(world.condition('Progressing')).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
    });
    world.change({ replicas: 5 });
    world.settle();
    expect(world.sizes()).toEqual({ v1: 5 });
    world.change({ paused: false });
    world.settle();
    expect(world.sizes()).toEqual({ v2: 5 });
  });

  test('shares a new number of replicas in the middle of a rollout in proportion', () => {
    const world = new World({ replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } });
    world.settle();
    world.change({ template: world.template('v2') });
    for (let turn = 0; turn < 5; turn++) {
      world.step();
      world.observe(0);
      world.observe(1, 0);
    }
    expect(world.sizes()).toEqual({ v1: 8, v2: 5 });
    world.change({ replicas: 15 });
    world.step();
    expect(world.sizes()).toEqual({ v1: 11, v2: 7 });
    world.settle();
    expect(world.sizes()).toEqual({ v2: 15 });
  });

  test('says when a rollout takes too long, and when it goes on after all', () => {
    const world = new World();
    world.settle();
    world.change({ template: world.template('v2') });
    for (let turn = 0; turn < 4; turn++) world.step();
    const { after = 0 } = planDeployment(world.deployment, world.replicaSets, true, world.now);
    expect(after).toBeGreaterThan(590_000);
    world.now += after;
    world.step();
    expect(world.condition('Progressing')).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    world.settle();
    expect(world.condition('Progressing')).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' });
  });

  test('does not hold an undone rollout to the time of the one before', () => {
    const world = new World();
    world.settle();
    world.change({ template: world.template('v2') });
    world.settle();
    world.now += 86_400_000;
    world.change({ template: world.template('v1') });
    world.step();
    expect(world.condition('Progressing')).toMatchObject({ status: 'True', reason: 'FoundNewReplicaSet' });
  });

  test('changes nothing while it is being deleted', () => {
    const world = new World();
    world.settle();
    world.change({ template: world.template('v2') });
    world.deployment = { ...world.deployment, metadata: { ...world.deployment.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    expect(world.step()).toBe(false);
  });
});
