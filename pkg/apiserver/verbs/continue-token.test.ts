import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { StatusError } from '#base/errors';
import type { ListOptions, WatchOptions } from '#client/transport';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { generateName } from './generated-name.ts';
import { planList, planWatch } from './read-options.ts';

function statusOf(run: () => unknown): StatusError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
}

describe('continue tokens', () => {
  test('say what they were made of', () => {
    fc.assert(
      fc.property(fc.option(fc.integer({ min: 1 }), { nil: undefined }), fc.string({ minLength: 1, maxLength: 200 }), (revision, start) => {
        expect(decodeContinue(encodeContinue({ revision, start }))).toEqual({ revision, start });
      }),
    );
  });

  test('anything else is refused with BadRequest', () => {
    const forged = fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'));
    fc.assert(
      fc.property(fc.oneof(fc.string(), forged), (text) => {
        expect(statusOf(() => decodeContinue(text))?.code ?? 400).toBe(400);
      }),
    );
  });
});

describe('what a read asks for', () => {
  test('any options give a plan or a StatusError', () => {
    const options = fc.record(
      {
        resourceVersion: fc.oneof(fc.string(), fc.constantFrom('0', '7', '-1', '1e3', '99999999999999999999')),
        resourceVersionMatch: fc.constantFrom('Exact', 'NotOlderThan'),
        continue: fc.string(),
        limit: fc.integer(),
        sendInitialEvents: fc.boolean(),
        allowWatchBookmarks: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(options, (given) => {
        statusOf(() => planList(given as ListOptions));
        statusOf(() => planWatch(given as WatchOptions));
      }),
    );
  });

  test('follows Kubernetes’ table for lists', () => {
    expect(planList({}).at).toBe('newest');
    expect(planList({ limit: 5 }).at).toBe('newest');
    expect(planList({ resourceVersion: '0' }).at).toBe('any');
    expect(planList({ resourceVersion: '0', limit: 5 }).at).toBe('any');
    expect(planList({ resourceVersion: '7' }).at).toEqual({ notOlderThan: 7 });
    expect(planList({ resourceVersion: '7', limit: 5 }).at).toEqual({ exactly: 7 });
    expect(planList({ resourceVersion: '7', resourceVersionMatch: 'Exact' }).at).toEqual({ exactly: 7 });
    expect(planList({ resourceVersion: '7', resourceVersionMatch: 'NotOlderThan', limit: 5 }).at).toEqual({ notOlderThan: 7 });
    expect(planList({ continue: encodeContinue({ revision: 7, start: 'a' }) })).toEqual({
      at: { exactly: 7 },
      continuation: { revision: 7, start: 'a' },
    });
    expect(planList({ continue: encodeContinue({ revision: undefined, start: 'a' }) }).at).toBe('newest');
    expect(statusOf(() => planList({ resourceVersionMatch: 'Exact', resourceVersion: '0' }))?.code).toBe(422);
    expect(statusOf(() => planList({ resourceVersionMatch: 'Exact' }))?.code).toBe(422);
    expect(statusOf(() => planList({ resourceVersionMatch: 'Almost', resourceVersion: '7' }))?.message).toContain(
      'Unsupported value: "Almost"',
    );
    expect(statusOf(() => planList({ continue: 'x', resourceVersion: '7' }))?.code).toBe(400);
  });

  test('follows Kubernetes’ rules for watches', () => {
    expect(planWatch({}).after).toBeUndefined();
    expect(planWatch({ resourceVersion: '0' }).after).toBeUndefined();
    expect(planWatch({ resourceVersion: '7' }).after).toBe(7);
    expect(planWatch({ sendInitialEvents: false, resourceVersionMatch: 'NotOlderThan' }).after).toBe('now');
    expect(
      planWatch({ sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', resourceVersion: '7', allowWatchBookmarks: true }),
    ).toEqual({
      after: undefined,
      notOlderThan: 7,
      markInitialEnd: true,
    });
    expect(statusOf(() => planWatch({ sendInitialEvents: true }))?.code).toBe(422);
    expect(statusOf(() => planWatch({ resourceVersionMatch: 'NotOlderThan' }))?.code).toBe(422);
  });
});

test('generated names fit a DNS label', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z-]{0,100}$/), (base) => {
      const name = generateName(base, Math.random);
      expect(name.length).toBeLessThanOrEqual(63);
      expect(name).toMatch(/[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    }),
  );
});
