import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { StatusError } from '#base/errors';
import type { Deployment } from '../shapes/types/apps-v1.ts';
import type { Pod } from '../shapes/types/core-v1.ts';
import { decodeObject } from './decode.ts';
import { JsonScan, maximumValues, parseJson } from './json.ts';

const pod = (spec: object): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec });

function refusal(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('decodeObject', () => {
  test('prunes unknown fields, and says which when asked', () => {
    const input = pod({ bogus: 1, containers: [{ name: 'a', imagee: 'x' }] });
    const { object, warnings } = decodeObject<Pod>('core.v1.Pod', input, { fieldValidation: 'Warn' });
    expect(object.spec).toEqual({ containers: [{ name: 'a', resources: {} }] });
    expect(warnings).toEqual(['unknown field "spec.bogus"', 'unknown field "spec.containers[0].imagee"']);
    expect(decodeObject('core.v1.Pod', input).warnings).toEqual([]);
    const error = refusal(() => decodeObject('core.v1.Pod', input, { fieldValidation: 'Strict', duplicateFields: ['spec.x'] }));
    expect(error.message).toBe(
      'strict decoding error: duplicate field "spec.x", unknown field "spec.bogus", unknown field "spec.containers[0].imagee"',
    );
    expect(error.reason).toBe('BadRequest');
  });

  test('says of a wrong type what was given, where, and what belongs there', () => {
    const input = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec: { replicas: 'three' } };
    expect(refusal(() => decodeObject('apps.v1.Deployment', input)).message).toBe(
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    );
    expect(
      refusal(() => decodeObject('core.v1.Pod', pod({ containers: [{ name: 'a', ports: [{ containerPort: 80.5 }] }] }))).message,
    ).toContain('cannot unmarshal number 80.5 into Go struct field ContainerPort.spec.containers[0].ports[0].containerPort of type int32');
    expect(refusal(() => decodeObject('core.v1.Pod', pod({ containers: {} }))).message).toContain(
      'cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
    );
    expect(refusal(() => decodeObject('core.v1.Pod', 7)).message).toContain('cannot unmarshal number into Go value of type v1.Pod');
    expect(refusal(() => decodeObject('core.v1.Pod', pod({ activeDeadlineSeconds: 2 ** 60 }))).message).toContain('of type int64');
  });

  test('spells quantities, times and base64 canonically', () => {
    const container = { name: 'a', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } };
    const { object } = decodeObject<Pod>('core.v1.Pod', {
      ...pod({ containers: [container] }),
      metadata: { name: 'x', creationTimestamp: '2020-01-01T02:00:00.5+02:00' },
    });
    expect(object.spec.containers[0]?.resources?.limits).toEqual({ cpu: '500m', memory: '1Gi' });
    expect(object.metadata.creationTimestamp).toBe('2020-01-01T00:00:00Z');
    expect(refusal(() => decodeObject('core.v1.Secret', { data: { a: 'a*b=' } })).message).toContain(
      'data.a: illegal base64 data at input byte 1',
    );
    expect(refusal(() => decodeObject('core.v1.Pod', pod({ overhead: { cpu: 'lots' } }))).message).toContain('quantities must match');
    expect(refusal(() => decodeObject('core.v1.Pod', { metadata: { creationTimestamp: 'now' } })).message).toContain('parsing time "now"');
  });

  test('drops nulls and zero values that Go would not write, and adds what it always writes', () => {
    const { object } = decodeObject<Deployment>('apps.v1.Deployment', {
      metadata: { name: 'x', labels: {}, creationTimestamp: null },
      spec: { replicas: 0, paused: false, minReadySeconds: 0, selector: null, template: { spec: { hostNetwork: false, containers: [] } } },
    });
    expect(object).toEqual({
      metadata: { name: 'x' },
      spec: { replicas: 0, template: { metadata: {}, spec: { containers: [] } }, strategy: {} },
      status: {},
    });
  });

  test('what it gives shares nothing with what it was given', () => {
    const input = { metadata: { name: 'x' }, spec: { services: { web: { image: 'i', x: [1, null] } } } };
    const { object } = decodeObject<{ spec: Record<string, unknown> }>('compose.v1alpha1.Stack', input);
    expect(object.spec).toEqual(input.spec);
    expect(object.spec.services).not.toBe(input.spec.services);
  });

  test('refuses __proto__ as a key and leaves every prototype alone', () => {
    for (const [type, text] of [
      ['core.v1.ConfigMap', '{"data":{"__proto__":"x"}}'],
      ['core.v1.ConfigMap', '{"metadata":{"annotations":{"__proto__":"x"}}}'],
      ['compose.v1alpha1.Stack', '{"spec":{"services":{"__proto__":{"polluted":true}}}}'],
    ] as const) {
      expect(refusal(() => decodeObject(type, JSON.parse(text))).message).toContain('the key "__proto__" is not allowed');
    }
    expect(decodeObject('core.v1.Pod', JSON.parse('{"__proto__":{"x":1}}'), { fieldValidation: 'Warn' }).warnings).toEqual([
      'unknown field "__proto__"',
    ]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('refuses nesting without bound', () => {
    let deep: unknown = {};
    for (let depth = 0; depth < 100_000; depth++) deep = { a: deep };
    expect(refusal(() => decodeObject('compose.v1alpha1.Stack', { spec: deep })).message).toContain('nested deeper than 512 levels');
    expect(refusal(() => parseJson('['.repeat(100_000) + ']'.repeat(100_000))).message).toContain('nested deeper');
  });

  test('knows the fields that Berth adds', () => {
    const input = pod({
      berth: { maxRestarts: 3, networks: ['a'] },
      containers: [{ name: 'a', image: 'b', berth: { user: 'app', stopSignal: 'SIGINT' } }],
    });
    expect(decodeObject('core.v1.Pod', input, { fieldValidation: 'Strict' }).object).toMatchObject(input);
  });
});

describe('JsonScan', () => {
  const duplicates = (text: string, piece = text.length): readonly string[] => {
    const scan = new JsonScan(text);
    while (scan.run(piece)) expect(scan.values).toBeGreaterThan(0);
    return scan.duplicates;
  };

  test('finds fields that stand twice, wherever they are, in pieces of any size', () => {
    const text = '{"a":1,"b":{"c":[{"d":1,"d":2}],"\\u0063":3},"a":"a\\"b\\\\"}';
    for (const piece of [1, 2, 3, 7, 1000]) expect(duplicates(text, piece)).toEqual(['b.c[0].d', 'b.c', 'a']);
    expect(duplicates('{"a":{"x":1},"b":{"x":1},"c":["x","x"]}')).toEqual([]);
  });

  test('counts values as they would be parsed, and refuses too many before they are', () => {
    const count = (value: unknown): number =>
      typeof value !== 'object' || value === null ? 1 : Object.values(value).reduce((sum: number, one) => sum + count(one), 1);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const scan = new JsonScan(JSON.stringify(value));
        scan.run(Number.MAX_SAFE_INTEGER);
        // An empty list or object counts twice.
        expect(scan.values).toBeGreaterThanOrEqual(count(value));
        expect(scan.values).toBeLessThanOrEqual(2 * count(value));
      }),
      { seed: 20_260_103, numRuns: 200 },
    );
    const many = `[${'0,'.repeat(maximumValues)}0]`;
    expect(refusal(() => parseJson(many)).code).toBe(413);
    expect(parseJson(`[${'0,'.repeat(maximumValues - 10)}0]`)).toHaveLength(maximumValues - 9);
  });
});
