import { describe, expect, test } from '@jest/globals';
import { ComposeError } from '../compose-error.ts';
import { parseYaml } from './parse.ts';
import { resolvePlainScalar } from './scalar.ts';
import { scalarText, YamlTimestamp } from './tree.ts';

function failure(source: string): string {
  try {
    parseYaml(source, 'compose.yaml');
  } catch (error) {
    if (error instanceof ComposeError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('scalars', () => {
  test.each([
    ['yes', 'yes'],
    ['on', 'on'],
    ['1.50', '1.5'],
    ['0o17', '15'],
    ['0440', '288'],
    ['0888', '888'],
    ['0x1F', '31'],
    ['1_000', '1000'],
    ['1e3', '1000'],
    ['1e-7', '1e-07'],
    ['12345678901234567890', '12345678901234567890'],
    ['22:22', '22:22'],
    ['1.2.3', '1.2.3'],
    ['true', 'true'],
    ['~', ''],
  ])('%s is read as Compose reads it', (source, text) => {
    expect(scalarText(resolvePlainScalar(source))).toBe(text);
  });

  test('what looks like a date is one', () => {
    expect(resolvePlainScalar('2024-01-31')).toBeInstanceOf(YamlTimestamp);
    expect(resolvePlainScalar('2024-01')).toBe('2024-01');
  });
});

describe('documents', () => {
  test('merge keys: what is there wins, then the first of the merged', () => {
    const source = 'a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  y: 3\n';
    expect(parseYaml(source, 'f')[0]?.value).toMatchObject({ c: { x: 1, y: 3, z: 2 } });
  });

  test('an anchor that is defined again means the latest', () => {
    expect(parseYaml('a: &x 1\nb: *x\nc: &x 2\nd: *x', 'f')[0]?.value).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  test('quoted scalars are strings, and tags choose', () => {
    expect(parseYaml(`a: "1"\nb: '~'\nc: !!str 2\nd: !!int "3"`, 'f')[0]?.value).toEqual({ a: '1', b: '~', c: '2', d: 3 });
  });

  test('positions lead to keys and items', () => {
    const positions = parseYaml('services:\n  web:\n    ports:\n      - "80:80"\n      - x\n', 'f')[0]?.positions;
    expect(positions?.get('services.web.ports')).toEqual({ file: 'f', line: 3, column: 5 });
    expect(positions?.get('services.web.ports[1]')).toEqual({ file: 'f', line: 5, column: 9 });
  });

  test.each([
    ['a: 1\na: 2', 'compose.yaml:2:1: this key is already defined in the same mapping'],
    ['a: [1', 'compose.yaml:1:6: not valid YAML'],
    ['a: *b', 'compose.yaml:1:4: a: no anchor &b before this alias'],
    ['a: &a [*a]', 'compose.yaml:1:8: a[0]: the alias *a is inside what it stands for'],
    ['a: &a\n  <<: *a', 'is inside what it stands for'],
    ['1: x', 'compose.yaml:1:1: non-string key: 1; quote it'],
    ['a: !secret x', 'compose.yaml:1:12: a: unknown tag !secret'],
    ['<<: x', 'a merge key (<<) takes a mapping or a list of mappings'],
    [`a: ${'['.repeat(200)}`, 'nested more than 100 levels deep'],
    ['x'.repeat((4 << 20) + 1), 'the file is larger than'],
  ])('%.30s is refused with its place', (source, message) => {
    expect(failure(source)).toContain(message);
  });

  test('a bomb of aliases is refused before it goes off', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) =>
        `l${level}: &l${level} [${Array(10)
          .fill(level === 0 ? 'x' : `*l${level - 1}`)
          .join(', ')}]`,
    );
    expect(failure(levels.join('\n'))).toContain('more than 200000 values once its aliases are expanded');
  });

  test('aliases inside each other are as deep as what they stand for', () => {
    const levels = Array.from({ length: 150 }, (_, level) => `l${level}: &l${level} [${level === 0 ? 'x' : `*l${level - 1}`}]`);
    expect(failure(levels.join('\n'))).toContain('nested more than 100 levels deep');
  });

  test('a prototype is not reached through a key', () => {
    const value = parseYaml('__proto__: {polluted: 1}\nconstructor: 2', 'f')[0]?.value as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
