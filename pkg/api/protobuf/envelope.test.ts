import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { StatusError } from '#base/errors';
import { decodeObject } from '../schema/decode.ts';
import { typeTable } from '../schema/type-table.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import { decodeProtobuf, encodeProtobuf, openEnvelope, watchFrame } from './envelope.ts';

const folder = '../shared/kubernetes/fixtures';
const names = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => file.endsWith('.pb'))
      .map((file) => file.slice(0, -3))
  : [];

interface AnyObject {
  apiVersion: string;
  kind: string;
}

function typeOf(apiVersion: string, kind: string): string {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const name = typeTable.nameOfKind(group ?? '', version ?? '', kind);
  if (name === undefined) throw new Error(`no type for ${apiVersion} ${kind}`);
  return name;
}

// Skipped, with its reason in the name, where the fixtures are not on this machine.
const fixtures = names.length === 0 ? describe.skip : describe;
fixtures(`one object of every kind, every field filled (fixtures in ${folder})`, () => {
  test.each(names.length === 0 ? ['none'] : names)('%s round-trips through the protobuf codec', (name) => {
    const body = readFileSync(`${folder}/${name}.pb`);
    const json = JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8')) as AnyObject;
    const type = typeOf(json.apiVersion, json.kind);
    const fromBytes = decodeProtobuf(type, body) as AnyObject;
    expect(decodeObject(type, json, { fieldValidation: 'Strict' }).object).toEqual(fromBytes);
    expect(fromBytes).toEqual(json);
    const encoded = encodeProtobuf(type, json);
    expect(decodeProtobuf(type, encoded)).toEqual(json);
    expect(Buffer.from(encoded).toString('hex')).toBe(body.toString('hex'));
  });
});

describe('bad protobuf', () => {
  const pod = encodeProtobuf('core.v1.Pod', {
    apiVersion: 'v1',
    kind: 'Pod',
    ...{
      metadata: { name: 'x', labels: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '1' } } }] },
    },
  });

  test('any cut or changed byte ends in an object or in BadRequest', () => {
    for (let length = 0; length < pod.length; length++) answersOrRefuses(pod.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(pod.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const copy = Uint8Array.from(pod);
        copy[at] = byte;
        answersOrRefuses(copy);
      }),
      { numRuns: 2000 },
    );
  });

  test('any bytes at all end in an object or in BadRequest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeMessage('core.v1.Pod', bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(StatusError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('endless nesting is refused', () => {
    let schema = encodeMessage('apiextensions.v1.JSONSchemaProps', {});
    for (let depth = 0; depth < 300; depth++) {
      schema = Uint8Array.from([0xe2, 0x01, ...lengthOf(schema.length), ...schema]);
    }
    expect(() => decodeMessage('apiextensions.v1.JSONSchemaProps', schema)).toThrow('nested too deeply');
  });

  test('a key named __proto__ is refused', () => {
    const evil = Buffer.from([0x12, 0x0e, 0x0a, 0x09, ...Buffer.from('__proto__'), 0x12, 0x01, 0x78]);
    expect(() => decodeMessage('core.v1.ConfigMap', evil)).toThrow('__proto__');
  });

  test('a body without the magic bytes is refused', () => {
    expect(() => openEnvelope(Buffer.from('{"kind":"Pod"}'))).toThrow(StatusError);
  });

  function answersOrRefuses(bytes: Uint8Array): void {
    try {
      decodeProtobuf('core.v1.Pod', bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(StatusError);
      expect((error as StatusError).reason).toBe('BadRequest');
    }
  }
});

test('a watch frame is its length, then the event around the whole body', () => {
  const body = encodeProtobuf('core.v1.ConfigMap', { apiVersion: 'v1', kind: 'ConfigMap', ...{ metadata: { name: 'x' } } });
  const frame = watchFrame('ADDED', body);
  expect(Buffer.from(frame).readUInt32BE(0)).toBe(frame.length - 4);
  expect(Buffer.from(frame.subarray(4, 11)).toString('latin1')).toBe('\n\u0005ADDED');
});

test('lists, DeleteOptions and Status have their codecs', () => {
  const list = {
    apiVersion: 'v1',
    kind: 'ConfigMapList',
    metadata: { resourceVersion: '7' },
    items: [{ metadata: { name: 'a' }, data: { k: 'ü' } }],
  };
  expect(decodeProtobuf('core.v1.ConfigMapList', encodeProtobuf('core.v1.ConfigMapList', list))).toEqual(list);
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, propagationPolicy: 'Background' };
  expect(decodeProtobuf('meta.v1.DeleteOptions', encodeProtobuf('meta.v1.DeleteOptions', options))).toEqual(options);
  const status = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code: 404, details: { name: 'x' } };
  expect(decodeProtobuf('meta.v1.Status', encodeProtobuf('meta.v1.Status', status))).toEqual(status);
});

function lengthOf(length: number): number[] {
  const bytes: number[] = [];
  let rest = length;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
