import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deepEqual } from '#api/equality';
import type { JsonObject } from '#apiserver/patch/json-value';
import { applyStrategicMerge } from '#apiserver/patch/strategic-merge';
import { rulesOf } from '#apiserver/patch/type-rules';
import { computeApplyPatch } from './apply-patch.ts';

const podType = 'core.v1.Pod';

/** What the server makes of the current object and the patch. */
function apply(original: JsonObject | undefined, modified: JsonObject, current: JsonObject): JsonObject {
  const patch = computeApplyPatch(podType, original, modified, current);
  return patch === undefined ? current : applyStrategicMerge(current, patch as JsonObject, rulesOf(podType)!);
}

const word = fc.constantFrom('a', 'b', 'c', 'd');
const words = fc.dictionary(word, word, { maxKeys: 3 });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
/** Without fields that are undefined, which JSON does not have. */
const record = (model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonObject> =>
  fc.record(model).map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
const namedList = (item: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonObject[]> =>
  fc.uniqueArray(record({ name: word, ...item }), { selector: ({ name }) => name, maxLength: 4 });

const container = {
  image: optional(word),
  args: optional(fc.array(word, { maxLength: 3 })),
  env: optional(namedList({ value: optional(word) })),
  ports: optional(
    fc.uniqueArray(record({ containerPort: fc.constantFrom(80, 81, 82), name: optional(word) }), {
      selector: (port) => port.containerPort,
      maxLength: 3,
    }),
  ),
  resources: optional(record({ limits: optional(words) })),
};
const volume = fc.oneof(
  record({ name: word, emptyDir: record({ medium: optional(word) }) }),
  record({ name: word, hostPath: record({ path: word }) }),
  record({ name: word, configMap: record({ name: word, items: optional(fc.array(record({ key: word, path: word }), { maxLength: 2 })) }) }),
);
const pod = record({
  metadata: record({
    name: fc.constant('x'),
    labels: optional(words),
    annotations: optional(words),
    finalizers: optional(fc.uniqueArray(word, { maxLength: 3 })),
  }),
  spec: record({
    nodeName: optional(word),
    nodeSelector: optional(words),
    containers: namedList(container),
    volumes: optional(fc.uniqueArray(volume, { selector: ({ name }) => name, maxLength: 4 })),
    tolerations: optional(fc.array(record({ key: word }), { maxLength: 2 })),
  }),
});

/** The same, but that lists of those who have no order of their own (a set of words) may be in any, and empty ones are none. */
function settled(value: unknown): unknown {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? [...new Set(value)].toSorted() : value.map(settled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, settled(item)] as const)
      .filter(([, item]) => item !== undefined && !(typeof item === 'object' && item !== null && Object.keys(item).length === 0)),
  );
}

describe('the patch of apply', () => {
  test('brings what only it has written to what the manifest says', () => {
    fc.assert(
      fc.property(pod, pod, (before, after) => {
        expect(settled(apply(before, after, before))).toEqual(settled(after));
      }),
      { numRuns: 500 },
    );
  });

  test('is none where nothing has changed', () => {
    fc.assert(
      fc.property(pod, (manifest) => {
        expect(computeApplyPatch(podType, manifest, manifest, manifest)).toBeUndefined();
      }),
    );
  });

  test('leaves alone what neither manifest names', () => {
    fc.assert(
      fc.property(pod, pod, (before, after) => {
        const current = structuredClone(before) as {
          metadata: Record<string, unknown>;
          spec: Record<string, unknown> & { containers: JsonObject[] };
        };
        current.metadata.uid = 'given';
        current.metadata.labels = { ...(current.metadata.labels as object), theirs: 'x' };
        current.metadata.finalizers = [...((current.metadata.finalizers as string[] | undefined) ?? []), 'theirs'];
        current.spec.serviceAccountName = 'theirs';
        current.spec.containers = [...current.spec.containers, { name: 'sidecar', image: 'theirs' }];
        const result = apply(before, after, current as unknown as JsonObject) as unknown as typeof current;
        expect(result.metadata).toMatchObject({ uid: 'given', labels: { theirs: 'x' } });
        expect(result.metadata.finalizers).toContain('theirs');
        expect(result.spec.serviceAccountName).toBe('theirs');
        expect(result.spec.containers).toContainEqual({ name: 'sidecar', image: 'theirs' });
        const own = result.spec.containers.filter(({ name }) => name !== 'sidecar');
        expect(settled(own)).toEqual(settled((after.spec as { containers: JsonObject[] }).containers));
        // Applied again, there is nothing more to do.
        expect(deepEqual(apply(after, after, result as unknown as JsonObject), result)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('of an object that was not applied before takes nothing away', () => {
    fc.assert(
      fc.property(pod, pod, (current, manifest) => {
        const labels = ((current.metadata as JsonObject).labels ?? {}) as Record<string, string>;
        const result = apply(undefined, manifest, current);
        expect(Object.keys(((result.metadata as JsonObject).labels ?? {}) as object)).toEqual(expect.arrayContaining(Object.keys(labels)));
      }),
    );
  });

  test('keeps elements apart that have the same key: one port by two protocols', () => {
    const ports = (...list: JsonObject[]): JsonObject => ({ spec: { ports: list } });
    const [tcp, udp] = [
      { port: 53, name: 'tcp', protocol: 'TCP' },
      { port: 53, name: 'udp', protocol: 'UDP' },
    ];
    const current = ports({ ...tcp, nodePort: 30_001 }, { ...udp, nodePort: 30_002 });
    const patchOf = (wanted: JsonObject): unknown => computeApplyPatch('core.v1.Service', ports(tcp, udp), wanted, current);
    expect(patchOf(ports(tcp, udp))).toBeUndefined();
    const patch = patchOf(ports(tcp, { ...udp, targetPort: 5353 })) as JsonObject;
    expect(applyStrategicMerge(current, patch, rulesOf('core.v1.Service')!)).toEqual(
      ports({ ...tcp, nodePort: 30_001 }, { ...udp, targetPort: 5353 }),
    );
  });

  test('of a kind without a table replaces lists whole', () => {
    const patch = computeApplyPatch(
      undefined,
      { spec: { old: 1, list: [{ name: 'a' }] } },
      { spec: { list: [{ name: 'b' }] } },
      { spec: { old: 1, list: [{ name: 'a' }], theirs: 1 } },
    );
    expect(patch).toEqual({ spec: { old: null, list: [{ name: 'b' }] } });
  });

  test('null in a manifest takes a field away', () => {
    expect(computeApplyPatch(podType, undefined, { spec: { nodeName: null } }, { spec: { nodeName: 'a' } })).toEqual({
      spec: { nodeName: null },
    });
    expect(computeApplyPatch(podType, undefined, { spec: { nodeName: null } }, { spec: {} })).toBeUndefined();
  });
});
