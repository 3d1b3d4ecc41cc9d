import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Pod } from '#api/shapes/types/core-v1';
import type { PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus } from '#api/shapes/types/policy-v1';
import { formatTime } from '#base/clock';
import { type Expected, planDisruption, statusDiffers } from './plan.ts';

const now = Date.UTC(2026, 0, 1);
const ago = (seconds: number): string => formatTime(now - seconds * 1000);

function budget(spec: PodDisruptionBudgetSpec, status?: PodDisruptionBudgetStatus): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'd', generation: 2 },
    spec,
    ...(status === undefined ? {} : { status }),
  };
}

function pods(ready: number, unready = 0, going = 0): Pod[] {
  const make = (name: string, isReady: boolean, isGoing: boolean): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...(isGoing ? { deletionTimestamp: ago(1) } : {}) },
    spec: { containers: [] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  });
  return [
    ...Array.from({ length: ready }, (_, index) => make(`r${index}`, true, false)),
    ...Array.from({ length: unready }, (_, index) => make(`u${index}`, false, false)),
    ...Array.from({ length: going }, (_, index) => make(`g${index}`, true, true)),
  ];
}

const expected = (count: number) => (): Expected => ({ count, unmanaged: [] });
const unasked = (): Expected => {
  throw new Error('the makers of pods need not be asked');
};

describe('a budget', () => {
  test('of a number that must be available counts the pods alone', () => {
    expect(planDisruption(budget({ minAvailable: 2 }), pods(3, 1), unasked, now).status).toEqual({
      expectedPods: 4,
      currentHealthy: 3,
      desiredHealthy: 2,
      disruptionsAllowed: 1,
      observedGeneration: 2,
      conditions: [
        {
          type: 'DisruptionAllowed',
          status: 'True',
          reason: 'SufficientPods',
          message: '',
          observedGeneration: 2,
          lastTransitionTime: ago(0),
        },
      ],
    });
  });

  test('of a share, or of what may be away, goes by what its makers want', () => {
    const allowed = (spec: PodDisruptionBudgetSpec, ready: number, wanted: number): number | undefined =>
      planDisruption(budget(spec), pods(ready), expected(wanted), now).status.disruptionsAllowed;
    expect(allowed({ minAvailable: '50%' }, 5, 5)).toBe(2);
    expect(allowed({ maxUnavailable: 1 }, 5, 5)).toBe(1);
    expect(allowed({ maxUnavailable: '30%' }, 5, 5)).toBe(2);
    expect(allowed({ maxUnavailable: 1 }, 3, 5)).toBe(0);
    expect(allowed({ maxUnavailable: '100%' }, 2, 3)).toBe(2);
  });

  test('allows nothing where it cannot know', () => {
    const { status } = planDisruption(budget({ maxUnavailable: 1 }, { disruptionsAllowed: 3 }), pods(5), () => ({ error: 'no' }), now);
    expect(status).toMatchObject({ disruptionsAllowed: 0, conditions: [{ status: 'False', reason: 'SyncFailed', message: 'no' }] });
  });

  test('does not count pods that go, or were evicted just now', () => {
    const before = { disruptionsAllowed: 0, disruptedPods: { r0: ago(10), r1: ago(200), gone: ago(5), g0: ago(5) } };
    const plan = planDisruption(budget({ minAvailable: 1 }, before), pods(3, 0, 1), unasked, now);
    expect(plan.status).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1, disruptedPods: { r0: ago(10) } });
    expect(plan.status.disruptedPods).toEqual({ r0: ago(10) });
    expect(plan).toMatchObject({ overdue: ['r1'], after: 110_000 });
  });

  test('keeps the time since which it allows, or does not', () => {
    const first = planDisruption(budget({ minAvailable: 1 }), pods(2), unasked, now).status;
    const later = planDisruption(budget({ minAvailable: 1 }, first), pods(3), unasked, now + 60_000).status;
    expect(later.conditions?.[0]?.lastTransitionTime).toBe(ago(0));
    const none = planDisruption(budget({ minAvailable: 1 }, later), pods(1), unasked, now + 60_000).status;
    expect(none.conditions?.[0]).toMatchObject({
      status: 'False',
      reason: 'InsufficientPods',
      lastTransitionTime: formatTime(now + 60_000),
    });
    expect(statusDiffers(first, first)).toBe(false);
    expect(statusDiffers(first, later)).toBe(true);
  });

  test('never allows so many that too few would be left', () => {
    const amounts = fc.oneof(
      fc.nat(10),
      fc.nat(100).map((percent) => `${percent}%`),
    );
    fc.assert(
      fc.property(fc.nat(10), fc.nat(5), fc.nat(12), amounts, fc.boolean(), (ready, unready, wanted, amount, isMin) => {
        const spec = isMin ? { minAvailable: amount } : { maxUnavailable: amount };
        const { status } = planDisruption(budget(spec), pods(ready, unready), expected(wanted), now);
        const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0 } = status;
        expect(disruptionsAllowed).toBeGreaterThanOrEqual(0);
        expect(currentHealthy).toBe(ready);
        if (disruptionsAllowed > 0) expect(currentHealthy - disruptionsAllowed).toBeGreaterThanOrEqual(desiredHealthy);
      }),
    );
  });
});
