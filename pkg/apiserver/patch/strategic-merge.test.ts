import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deepEqual } from '#api/equality';
import { StatusError } from '#base/errors';
import { isJsonList, isJsonObject, type JsonObject, type JsonValue } from './json-value.ts';
import { applyStrategicMerge, type FieldRules, type TypeRules } from './strategic-merge.ts';

function type(fields: Record<string, FieldRules>): TypeRules {
  return { field: (name) => (Object.hasOwn(fields, name) ? fields[name] : undefined) };
}

const env = type({ name: { strategies: [] }, value: { strategies: [] } });
const container = type({
  name: { strategies: [] },
  image: { strategies: [] },
  args: { strategies: [] },
  env: { strategies: ['merge'], mergeKey: 'name', below: env },
});
const volume = type({ name: { strategies: [] }, emptyDir: { strategies: [] }, hostPath: { strategies: [] } });
const rules = type({
  containers: { strategies: ['merge'], mergeKey: 'name', below: container },
  volumes: { strategies: ['merge', 'retainKeys'], mergeKey: 'name', below: volume },
  finalizers: { strategies: ['merge'] },
  strategy: { strategies: ['retainKeys'], below: type({ type: { strategies: [] }, rollingUpdate: { strategies: [] } }) },
  selector: { strategies: ['replace'] },
  command: { strategies: [] },
});

const merge = (original: JsonObject, patch: JsonValue): JsonObject => applyStrategicMerge(original, patch, rules);
const names = (list: JsonValue | undefined): JsonValue[] => (list as JsonObject[]).map((item) => item.name ?? null);

describe('strategic merge patch', () => {
  test('merges a list of objects by its key and replaces a list without strategy', () => {
    const original = { containers: [{ name: 'a', image: 'a:1', args: ['x'] }, { name: 'b' }], command: ['x'] };
    expect(merge(original, { containers: [{ name: 'a', image: 'a:2', args: ['y'] }, { name: 'c' }], command: ['y'] })).toEqual({
      containers: [{ name: 'a', image: 'a:2', args: ['y'] }, { name: 'c' }, { name: 'b' }],
      command: ['y'],
    });
    expect(original.containers[0]).toEqual({ name: 'a', image: 'a:1', args: ['x'] });
  });

  test('$patch: delete removes an element, $patch: replace takes the list as it is', () => {
    const original = { containers: [{ name: 'a' }, { name: 'b' }] };
    expect(merge(original, { containers: [{ name: 'a', $patch: 'delete' }] })).toEqual({ containers: [{ name: 'b' }] });
    expect(merge(original, { containers: [{ name: 'c' }, { $patch: 'replace' }] })).toEqual({ containers: [{ name: 'c' }] });
  });

  test('$patch on an object replaces or empties it', () => {
    const original = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } };
    expect(merge(original, { strategy: { $patch: 'replace', type: 'Recreate' } })).toEqual({ strategy: { type: 'Recreate' } });
    expect(merge(original, { strategy: { rollingUpdate: { $patch: 'delete' } } })).toEqual({
      strategy: { type: 'RollingUpdate', rollingUpdate: {} },
    });
  });

  test('a field whose strategy is replace is taken whole', () => {
    expect(merge({ selector: { a: 1 } }, { selector: { b: 2 } })).toEqual({ selector: { b: 2 } });
  });

  test('$retainKeys clears what it does not name', () => {
    const original = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } };
    expect(merge(original, { strategy: { $retainKeys: ['type'], type: 'Recreate' } })).toEqual({ strategy: { type: 'Recreate' } });
    const volumes = { volumes: [{ name: 'v', emptyDir: {} }] };
    expect(merge(volumes, { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] })).toEqual({
      volumes: [{ name: 'v', hostPath: { path: '/x' } }],
    });
    expect(() => merge(original, { strategy: { $retainKeys: ['x'], type: 'Recreate' } })).toThrow(StatusError);
  });

  test('lists of plain values merge as sets; $deleteFromPrimitiveList removes', () => {
    expect(merge({ finalizers: ['a', 'b'] }, { finalizers: ['c', 'a'] }).finalizers).toEqual(['c', 'a', 'b']);
    expect(merge({ finalizers: ['a', 'b', 'a'] }, { '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({ finalizers: ['b'] });
    expect(merge({}, { '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({});
  });

  test('$setElementOrder orders a list, keeping the places of what only the server has', () => {
    const original = { containers: [{ name: 'a' }, { name: 's' }, { name: 'b' }] };
    const patched = merge(original, {
      '$setElementOrder/containers': [{ name: 'b' }, { name: 'n' }, { name: 'a' }],
      containers: [{ name: 'n', image: 'n:1' }],
    });
    expect(names(patched.containers)).toEqual(['s', 'b', 'n', 'a']);
    expect(merge({ finalizers: ['a', 'b', 'c'] }, { '$setElementOrder/finalizers': ['c', 'a'] }).finalizers).toEqual(['b', 'c', 'a']);
  });

  test('a patch list that contradicts its order is refused', () => {
    const patch = { '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }], containers: [{ name: 'b' }, { name: 'a' }] };
    expect(() => merge({ containers: [] }, patch)).toThrow(/doesn't match \$setElementOrder\/containers/);
  });

  test('directives and nulls never end up in the object', () => {
    const patch = {
      containers: [{ name: 'n', image: null, env: [{ name: 'x', $patch: 'delete' }], '$setElementOrder/env': [] }],
      strategy: { $retainKeys: ['type'], type: 'Recreate' },
    };
    expect(merge({}, patch)).toEqual({ containers: [{ name: 'n', env: [] }], strategy: { type: 'Recreate' } });
  });

  test('malformed patches are refused with BadRequest or Invalid', () => {
    const original = { containers: [{ name: 'a' }], finalizers: ['a'] };
    const bad: [JsonValue, number][] = [
      ['x', 400],
      [{ containers: [{ image: 'x' }] }, 400],
      [{ containers: [{ $patch: 'delete' }] }, 400],
      [{ containers: [{ name: 'a', $patch: 'merge' }] }, 400],
      [{ strategy: { $patch: 'frob' } }, 200],
      [{ $patch: 'frob' }, 400],
      [{ $retainKeys: 'x' }, 400],
      [{ '$setElementOrder/containers': 'x' }, 400],
      [{ '$deleteFromPrimitiveList/finalizers': 'x' }, 400],
      [{ finalizers: [['a']] }, 422],
    ];
    for (const [patch, code] of bad) {
      try {
        merge(original, patch);
        expect(code).toBe(200);
      } catch (error) {
        expect(error).toMatchObject({ code });
      }
    }
  });

  test('a key called __proto__ is an ordinary key', () => {
    const result = merge(JSON.parse('{"data":{}}'), JSON.parse('{"data":{"__proto__":"x"}}'));
    expect(JSON.stringify(result)).toBe('{"data":{"__proto__":"x"}}');
  });

  test('a patch made by a diff, applied, gives the target', () => {
    fc.assert(
      fc.property(podLike, podLike, (from, to) => expect(merge(from, diff(from, to, rules))).toEqual(to)),
      { numRuns: 300 },
    );
  });

  test('never throws anything but a StatusError', () => {
    const noise = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;
    const keys = fc.constantFrom(
      'containers',
      'finalizers',
      '$patch',
      '$retainKeys',
      '$setElementOrder/containers',
      '$deleteFromPrimitiveList/finalizers',
      'strategy',
      '__proto__',
    );
    fc.assert(
      fc.property(podLike, fc.dictionary(keys, noise), (from, patch) => {
        try {
          merge(from, patch);
        } catch (error) {
          expect(error).toBeInstanceOf(StatusError);
        }
      }),
    );
  });
});

const shortName = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const keyed = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonValue> =>
  fc.uniqueArray(fc.record({ name: shortName, ...fields }, { requiredKeys: ['name'] }), {
    selector: (item: { name: string }) => item.name,
    maxLength: 5,
  }) as unknown as fc.Arbitrary<JsonValue>;
const podLike = fc.record(
  {
    containers: keyed({ image: fc.string(), args: fc.array(fc.string(), { maxLength: 2 }), env: keyed({ value: fc.string() }) }),
    finalizers: fc.uniqueArray(shortName),
    command: fc.array(fc.string(), { maxLength: 3 }),
    strategy: fc.record({ type: fc.string(), rollingUpdate: fc.dictionary(shortName, fc.integer()) }, { requiredKeys: [] }),
    selector: fc.dictionary(shortName, fc.string()),
  },
  { requiredKeys: [] },
) as unknown as fc.Arbitrary<JsonObject>;

/** The strategic patch from one object to another, as kubectl makes them: every list that merges carries its order. */
function diff(from: JsonObject, to: JsonObject, of: TypeRules | undefined): JsonObject {
  const patch: Record<string, JsonValue> = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, key) ? from[key] : undefined;
    if (deepEqual(before, value)) continue;
    const field = of?.field(key);
    if (isJsonObject(before) && isJsonObject(value)) {
      patch[key] = field?.strategies.includes('replace') ? value : diff(before, value, field?.below);
    } else if (isJsonList(before) && isJsonList(value) && field?.strategies.includes('merge')) {
      const mergeKey = field.mergeKey;
      if (mergeKey === undefined) {
        patch[`$setElementOrder/${key}`] = value;
        patch[`$deleteFromPrimitiveList/${key}`] = before.filter((item) => !value.includes(item));
        patch[key] = value.filter((item) => !before.includes(item));
      } else {
        const idOf = (item: JsonValue): JsonValue => (item as JsonObject)[mergeKey] ?? null;
        patch[`$setElementOrder/${key}`] = value.map((item) => ({ [mergeKey]: idOf(item) }));
        patch[key] = [
          ...value.flatMap((item) => {
            const old = before.find((candidate) => idOf(candidate) === idOf(item));
            if (old === undefined) return [item];
            return [{ ...diff(old as JsonObject, item as JsonObject, field.below), [mergeKey]: idOf(item) }];
          }),
          ...before
            .filter((item) => !value.some((kept) => idOf(kept) === idOf(item)))
            .map((item) => ({ [mergeKey]: idOf(item), $patch: 'delete' })),
        ];
      }
    } else {
      patch[key] = value;
    }
  }
  return patch;
}
