import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { yamlWriter } from './yaml-writer.ts';

test('what is small is for people, what is large is JSON, and both are YAML', async () => {
  const write = await yamlWriter();
  const shared = ['b'];
  expect(write({ a: shared, c: shared })).toBe('a:\n  - b\nc:\n  - b\n');
  const large = { data: Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`key-${index}`, 'a: "b"\n# \u0000 é'])) };
  const text = write(large);
  expect(text.startsWith('{\n')).toBe(true);
  expect(parse(text)).toEqual(large);
  expect(parse(`items:\n  - ${text.trimEnd().replaceAll('\n', '\n    ')}\n`)).toEqual({ items: [large] });
});
