/** Whatever a client sends, what reads it gives a value or a StatusError, and soon. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeProtobuf } from '#api/protobuf/envelope';
import { StatusError } from '#base/errors';
import { decodeBody } from './body.ts';
import { negotiate, parseAccept, parseMediaType } from './media-type.ts';
import { parseResourcePath } from './path.ts';
import { decodeProtobufBody } from './protobuf.ts';
import { flag, parseDeleteOptions, parseListOptions, parseWatchOptions, parseWriteOptions } from './query.ts';
import { parseIncludeObject } from './table.ts';

const seeded = { seed: 20_260_101, numRuns: 400 };
/** Generous: a stall takes seconds, a busy machine does not. */
const limit = 2000;

function survives(run: () => unknown): void {
  const start = performance.now();
  try {
    run();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    expect(error.code).toBeGreaterThanOrEqual(400);
    expect(error.code).toBeLessThan(500);
  }
  expect(performance.now() - start).toBeLessThan(limit);
}

/** Text made of pieces that mean something to the reader, and of anything. */
function textOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ maxLength: 200, unit: 'binary' }),
    fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 60 }).map((parts) => parts.join('')),
  );
}

const types = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

describe('bodies', () => {
  const json = textOf('{', '}', '[', ']', ':', ',', '"', '\\', '"__proto__"', '"a"', '1e999', 'null', '\\u00', '\ud800', '-', '0');
  test('in JSON', () => {
    fc.assert(
      fc.property(json, (text) => survives(() => decodeBody(Buffer.from(text), types.json, decodeProtobufBody))),
      seeded,
    );
    for (const text of [
      '['.repeat(100_000),
      '{"a":'.repeat(100_000),
      `"${'\\'.repeat(300_000)}`,
      `[${'"",'.repeat(200_000)}0`,
      `"${'\\"'.repeat(200_000)}`,
    ]) {
      survives(() => decodeBody(Buffer.from(text), types.json, decodeProtobufBody));
    }
  });

  const yaml = textOf(
    'a: ',
    '- ',
    '\n',
    '  ',
    '&x ',
    '*x',
    '<<: ',
    '!!binary ',
    '!!set',
    '? ',
    '|',
    '>',
    '---\n',
    '...\n',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '#',
    '%YAML 1.1\n',
    '\t',
    '!<',
    ':',
  );
  test('in YAML', () => {
    fc.assert(
      fc.property(yaml, (text) => survives(() => decodeBody(Buffer.from(text), types.yaml, decodeProtobufBody))),
      seeded,
    );
    const laughs = [
      'a0: &a0 [x,x,x,x,x,x,x,x,x]',
      ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`),
    ].join('\n');
    for (const text of [
      laughs,
      'a: &a [*a]',
      '- '.repeat(5000),
      '{'.repeat(5000),
      '[a: '.repeat(5000),
      '? '.repeat(5000),
      '!a '.repeat(5000),
    ]) {
      survives(() => decodeBody(Buffer.from(text), types.yaml, decodeProtobufBody));
    }
  });

  test('in YAML with keys without number', () => {
    const keys = (count: number): string => Array.from({ length: count }, (_, number) => `k${number}: v`).join('\n');
    const read = (text: string): unknown => decodeBody(Buffer.from(text), types.yaml, decodeProtobufBody);
    expect(() => read(keys(20_000))).toThrow('send JSON');
    expect(() => read(`[${'a,'.repeat(20_000)}]`)).toThrow('send JSON');
    expect(Object.keys((read(keys(5000)) as { value: object }).value)).toHaveLength(5000);
    expect(read('a: 1\nb: {c: 1, c: 2}\na: 3\n')).toEqual({ value: { a: 3, b: { c: 2 } }, duplicates: ['line 3', 'line 2'] });
  });

  test('in protobuf', () => {
    const pod = encodeProtobuf('core.v1.Pod', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', labels: { b: 'c' } },
      spec: { containers: [{ name: 'd', image: 'e', ports: [{ containerPort: 1 }], resources: { limits: { cpu: '1' } } }] },
    } as { apiVersion: string; kind: string });
    const changes = fc.array(fc.tuple(fc.nat(pod.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.nat(pod.length), (bytes, cut) => {
        const body = Buffer.from(pod);
        for (const [at, byte] of bytes) body[at] = byte;
        survives(() => decodeBody(body, types.protobuf, decodeProtobufBody));
        survives(() => decodeBody(body.subarray(0, cut), types.protobuf, decodeProtobufBody));
      }),
      seeded,
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
        survives(() => decodeBody(Buffer.concat([Buffer.from('k8s\0'), bytes]), types.protobuf, decodeProtobufBody)),
      ),
      seeded,
    );
  });

  test('of any media type', () => {
    fc.assert(
      fc.property(textOf('application', '/', 'json', ';', '=', 'q', ',', '"', '*', ' '), (text) => {
        survives(() => decodeBody(Buffer.from('{}'), text, decodeProtobufBody));
        survives(() => parseMediaType(text));
        survives(() => parseAccept(text));
        survives(() => negotiate(text, new URLSearchParams(), { encodings: ['json', 'yaml'], shapes: ['Table'] }));
      }),
      seeded,
    );
    survives(() => parseAccept('a/b;'.repeat(10_000)));
    survives(() => parseAccept(`a/b;c="${' '.repeat(50_000)}`));
    survives(() => parseAccept('application/json,'.repeat(4000)));
  });
});

test('paths', () => {
  const path = textOf('/', 'api', 'apis', 'v1', 'namespaces', '%2f', '%', '%00', '..', 'watch', 'pods', 'proxy', '?', '#', 'apps');
  fc.assert(
    fc.property(path, (text) => {
      survives(() => parseResourcePath(text));
      survives(() => parseResourcePath(`/api/${text}`));
      survives(() => parseResourcePath(`/apis/apps/v1/${text}`));
    }),
    seeded,
  );
  survives(() => parseResourcePath(`/api/v1/${'a/'.repeat(30_000)}`));
});

test('query parameters', () => {
  const names = [
    'limit',
    'watch',
    'timeoutSeconds',
    'dryRun',
    'fieldManager',
    'fieldValidation',
    'gracePeriodSeconds',
    'propagationPolicy',
  ];
  const others = [
    'orphanDependents',
    'resourceVersion',
    'resourceVersionMatch',
    'continue',
    'pretty',
    'includeObject',
    'sendInitialEvents',
  ];
  const text = textOf(
    ...[...names, ...others].map((name) => `&${name}=`),
    'All',
    '-1',
    '1e9',
    '99999999999999999999',
    'true',
    '%',
    '%zz',
    '+',
  );
  fc.assert(
    fc.property(text, fc.dictionary(fc.constantFrom(...names, ...others, 'preconditions', 'kind'), fc.jsonValue()), (given, body) => {
      const query = new URLSearchParams(given);
      survives(() => flag(query, 'watch'));
      survives(() => parseListOptions(query));
      survives(() => parseWatchOptions(query));
      survives(() => parseWriteOptions(query, 'CreateOptions'));
      survives(() => parseDeleteOptions(query, undefined));
      survives(() => parseDeleteOptions(query, body));
      survives(() => parseIncludeObject(query));
    }),
    seeded,
  );
});
