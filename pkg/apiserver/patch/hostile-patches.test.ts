/** Whatever patch meets whatever object, there comes a value or a StatusError; the object stays as it was. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { StatusError } from '#base/errors';
import { applyJsonPatch } from './json-patch.ts';
import type { JsonObject, JsonValue } from './json-value.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMerge } from './strategic-merge.ts';
import { rulesOf } from './type-rules.ts';

const seeded = { seed: 20_260_102, numRuns: 500 };

const key = fc.constantFrom(
  ...['metadata', 'labels', 'spec', 'template', 'containers', 'name', 'env', 'ports', 'containerPort', 'finalizers', 'strategy', 'volumes'],
  ...[
    '$patch',
    '$retainKeys',
    '$setElementOrder/containers',
    '$setElementOrder/env',
    '$deleteFromPrimitiveList/finalizers',
    '$setElementOrder/',
  ],
  ...['__proto__', 'constructor', 'toString', ''],
);
const leaf = fc.constantFrom<JsonValue>(null, true, 0, -1, '', 'a', 'delete', 'replace', 'merge', 'name', '__proto__');
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries) as JsonObject),
  ),
}));
const object = fc.array(fc.tuple(key, value), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as JsonObject);

function survives(target: JsonValue, run: () => unknown): void {
  const before = JSON.stringify(target);
  try {
    run();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    expect(error.code).toBeGreaterThanOrEqual(400);
    expect(error.code).toBeLessThan(500);
  }
  expect(JSON.stringify(target)).toBe(before);
  expect(({} as Record<string, unknown>).a).toBeUndefined();
}

test('merge patches', () => {
  fc.assert(
    fc.property(object, value, (target, patch) => survives(target, () => applyMergePatch(target, patch))),
    seeded,
  );
});

test('strategic merge patches', () => {
  const rules = ['apps.v1.Deployment', 'core.v1.Pod', 'core.v1.Service'].map((name) => rulesOf(name)!);
  fc.assert(
    fc.property(object, value, fc.constantFrom(...rules), (target, patch, of) =>
      survives(target, () => applyStrategicMerge(target, patch, of)),
    ),
    seeded,
  );
});

test('JSON patches', () => {
  const pointer = fc.oneof(
    fc
      .array(fc.oneof(key, fc.constantFrom('0', '-', '1', '00', '~0', '~1', '~2', '4294967296', '1e1')), { maxLength: 4 })
      .map((parts) => parts.map((part) => `/${part}`).join('')),
    fc.string({ maxLength: 10 }),
  );
  const operation = fc.record(
    {
      op: fc.oneof(fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), leaf),
      path: fc.oneof(pointer, leaf),
      from: fc.oneof(pointer, leaf),
      value,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(object, fc.oneof(fc.array(operation, { maxLength: 6 }) as unknown as fc.Arbitrary<JsonValue>, value), (target, patch) =>
      survives(target, () => applyJsonPatch(target, patch)),
    ),
    seeded,
  );
});
