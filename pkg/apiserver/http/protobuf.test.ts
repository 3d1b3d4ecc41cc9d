import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '#api/object';
import { Turns } from '#base/turns';
import { MadeObject } from '../verbs/answer.ts';
import { decodeProtobufBody, encodeProtobufBody, encodeProtobufList } from './protobuf.ts';

const pod = (name: string): KubernetesObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', image: 'i'.repeat(200), resources: {} }] },
    status: {},
  }) as KubernetesObject;

describe('a list in pieces', () => {
  test.each([0, 1, 100])('is what the whole is, with %i items', async (count) => {
    const items = Array.from({ length: count }, (_, index) => pod(`p-${index}`));
    const list = { apiVersion: 'v1', kind: 'PodList', metadata: { resourceVersion: '5', continue: 'c' } };
    const pieces = await encodeProtobufList({ ...list, items: items.map((item) => new MadeObject(item)) }, new Turns());
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(encodeProtobufBody({ ...list, items })));
    expect(decodeProtobufBody(Buffer.concat(pieces))).toMatchObject({ kind: 'PodList', metadata: { resourceVersion: '5' } });
  });
});

describe('bodies', () => {
  test('are known by the kind that they name', () => {
    const options = { apiVersion: 'apps/v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
    expect(decodeProtobufBody(encodeProtobufBody(options))).toMatchObject(options);
    const stranger = encodeProtobufBody({ apiVersion: 'v1', kind: 'ConfigMap', metadata: {} });
    expect(() =>
      decodeProtobufBody(Buffer.from(Buffer.from(stranger).toString('latin1').replace('ConfigMap', 'ConfigMop'), 'latin1')),
    ).toThrow(/no kind "ConfigMop" is known/);
  });
});
