/** Whatever a client sends, what reads it gives a value or a StatusError, and soon. */
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeProtobuf } from '#api/protobuf/envelope';
import { systemClock } from '#base/clock';
import { StatusError } from '#base/errors';
import { BodyDecoder, type DecodedBody } from './body.ts';
import { negotiate, parseAccept, parseMediaType } from './media-type.ts';
import { parseResourcePath } from './path.ts';
import { decodeProtobufBody } from './protobuf.ts';
import { flag, parseDeleteOptions, parseListOptions, parseWatchOptions, parseWriteOptions } from './query.ts';
import { parseIncludeObject } from './table.ts';

const seeded = { seed: 20_260_101, numRuns: 400 };
/** Against what grows without bound, however slow and busy the machine is. */
const limit = 20_000;

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
  const bodies = new BodyDecoder(systemClock, decodeProtobufBody);
  afterAll(() => bodies.close());

  /** Decodes, and gives the answer or the code of the refusal; anything else that is thrown fails the test. */
  async function answerTo(body: string | Uint8Array, type: string): Promise<DecodedBody | number> {
    try {
      return await bodies.decode(Buffer.from(body), type);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      expect(error.code).toBeGreaterThanOrEqual(400);
      expect(error.code).toBeLessThan(500);
      return error.code;
    }
  }

  const json = textOf(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '"__proto__"',
    '"a"',
    '1e999',
    'null',
    '\\u00',
    '\ud800',
    '-',
    '0',
    '\ufeff',
  );
  test('in JSON', async () => {
    await fc.assert(
      fc.asyncProperty(json, async (text) => void (await answerTo(text, types.json))),
      seeded,
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => void (await answerTo(bytes, types.json))),
      seeded,
    );
    for (const [text, code] of [
      ['['.repeat(100_000), 400],
      ['{"a":'.repeat(100_000), 400],
      [`"${'\\'.repeat(300_000)}`, 400],
      [`[${'"",'.repeat(200_000)}0`, 413],
      [`"${'\\"'.repeat(200_000)}`, 400],
      [`[${'{},'.repeat(1_000_000)}0]`, 413],
      [`{${'"a":0,'.repeat(500_000)}"a":0}`, 413],
      [`[${`${'['.repeat(500)}${']'.repeat(500)},`.repeat(3000)}0]`, 413],
      ['\ufeff{}', 400],
      ['{"a":1}{"a":1}', 400],
      ['', 400],
    ] as const) {
      expect(await answerTo(text, types.json)).toBe(code);
    }
  });

  test('in JSON that is long, in many turns of the event loop', async () => {
    const text = `{"data":{${Array.from({ length: 45_000 }, (_, index) => `"key-${index}":"${'v'.repeat(40)}"`).join(',')}}}`;
    let turns = 0;
    let going = true;
    const count = (): void => {
      turns++;
      if (going) setImmediate(count);
    };
    setImmediate(count);
    const { value } = await bodies.decode(Buffer.from(text), types.json);
    going = false;
    expect(Object.keys((value as { data: object }).data)).toHaveLength(45_000);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(text.length / (128 * 1024)));
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
    '!!omap',
    '!!float .inf',
    '!!int 0x',
    '2001-01-01',
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
    '__proto__',
  );
  test('in YAML', async () => {
    await fc.assert(
      fc.asyncProperty(yaml, async (text) => void (await answerTo(text, types.yaml))),
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
      '{}'.repeat(5000),
      'a: !!binary aGk=',
      'a: !!set {b, c}',
      'a: .inf',
      '[1, 2',
      '',
      '--- a\n--- b\n',
    ]) {
      expect([400, 413]).toContain(await answerTo(text, types.yaml));
    }
    expect(await answerTo('a: {__proto__: {b: 1}}', types.yaml)).toMatchObject({ duplicates: [] });
    expect(({} as { b?: unknown }).b).toBeUndefined();
  });

  test('in YAML that takes all memory, or time without end: the thread that reads it ends, and the next one reads on', async () => {
    expect(await answerTo('""'.repeat(1_500_000), types.yaml)).toBe(413);
    expect(await answerTo('a: 1', types.yaml)).toEqual({ value: { a: 1 }, duplicates: [] });
  }, 60_000);

  test('in YAML with keys without number', async () => {
    const keys = (count: number): string => Array.from({ length: count }, (_, number) => `k${number}: v`).join('\n');
    await expect(bodies.decode(Buffer.from(keys(50_000)), types.yaml)).rejects.toThrow('send JSON');
    await expect(bodies.decode(Buffer.from(`[${'a,'.repeat(50_000)}]`), types.yaml)).rejects.toThrow('send JSON');
    const { value } = await bodies.decode(Buffer.from(keys(5000)), types.yaml);
    expect(Object.keys(value as object)).toHaveLength(5000);
    expect(await answerTo('a: 1\nb: {c: 1, c: 2}\na: 3\n', types.yaml)).toEqual({
      value: { a: 3, b: { c: 2 } },
      duplicates: ['line 3', 'line 2'],
    });
  });

  test('in protobuf', async () => {
    const pod = encodeProtobuf('core.v1.Pod', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', labels: { b: 'c' } },
      spec: { containers: [{ name: 'd', image: 'e', ports: [{ containerPort: 1 }], resources: { limits: { cpu: '1' } } }] },
    } as { apiVersion: string; kind: string });
    const changes = fc.array(fc.tuple(fc.nat(pod.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(pod.length), async (bytes, cut) => {
        const body = Buffer.from(pod);
        for (const [at, byte] of bytes) body[at] = byte;
        await answerTo(body, types.protobuf);
        await answerTo(body.subarray(0, cut), types.protobuf);
      }),
      seeded,
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await answerTo(Buffer.concat([Buffer.from('k8s\0'), bytes]), types.protobuf);
      }),
      seeded,
    );
  });

  test('in protobuf with fields and items without number', async () => {
    const length = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, ...length(Math.floor(value / 128))]);
    const field = (number: number, bytes: Uint8Array): Buffer =>
      Buffer.concat([Uint8Array.from([number * 8 + 2, ...length(bytes.length)]), bytes]);
    const body = (kind: string, raw: Uint8Array): Buffer =>
      Buffer.concat([
        Buffer.from('k8s\0'),
        field(1, Buffer.concat([field(1, Buffer.from('v1')), field(2, Buffer.from(kind))])),
        field(2, raw),
      ]);
    const repeated = (...bytes: readonly number[]): Uint8Array =>
      Uint8Array.from({ length: 1_000_000 }, (_, index) => bytes[index % bytes.length]!);
    // Containers; entries; fields that are not known; a packed list of numbers.
    expect(await answerTo(body('Pod', field(2, repeated(0x12, 0))), types.protobuf)).toBe(413);
    expect(await answerTo(body('ConfigMap', repeated(0x12, 0)), types.protobuf)).toBe(413);
    expect(await answerTo(body('ConfigMap', repeated(0x78, 0)), types.protobuf)).toBe(413);
    expect(await answerTo(body('Pod', field(2, field(14, field(4, repeated(1))))), types.protobuf)).toBe(413);
    expect(await answerTo(Buffer.concat([Buffer.from('k8s\0'), repeated(0x78, 0)]), types.protobuf)).toBe(400);
  });

  test('of any media type', async () => {
    await fc.assert(
      fc.asyncProperty(textOf('application', '/', 'json', ';', '=', 'q', ',', '"', '*', ' '), async (text) => {
        await answerTo('{}', text);
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
