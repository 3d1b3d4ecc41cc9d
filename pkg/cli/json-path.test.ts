import { describe, expect, test } from '@jest/globals';
import { findByPath, renderJsonPath } from './json-path.ts';

const list = {
  items: [
    {
      metadata: { name: 'a', labels: { 'app.kubernetes.io/name': 'x' } },
      spec: { containers: [{ image: 'one' }, { image: 'two' }] },
      status: { ready: true, count: 3 },
    },
    { metadata: { name: 'b' }, spec: { containers: [{ image: 'three' }] }, status: { ready: false, count: 5 } },
  ],
};

describe('JSONPath templates', () => {
  test.each([
    ['{.items[*].metadata.name}', 'a b'],
    ['.items[*].metadata.name', 'a b'],
    ['{.items[0].metadata.name}', 'a'],
    ['{.items[-1].metadata.name}', 'b'],
    ['{.items[0:1].metadata.name}', 'a'],
    ['{.items[*].spec.containers[*].image}', 'one two three'],
    ['{..image}', 'one two three'],
    ["{.items[0].metadata.labels['app.kubernetes.io/name']}", 'x'],
    ['{.items[0].metadata.labels.app\\.kubernetes\\.io/name}', 'x'],
    ['{.items[?(@.metadata.name=="b")].spec.containers[0].image}', 'three'],
    ['{.items[?(@.status.count>3)].metadata.name}', 'b'],
    ['{.items[?(@.metadata.labels)].metadata.name}', 'a'],
    ['{range .items[*]}{.metadata.name}{"\\t"}{.status.count}{"\\n"}{end}', 'a\t3\nb\t5\n'],
    ['names: {.items[*].metadata.name}.', 'names: a b.'],
    ['{.items[0].status}', '{"ready":true,"count":3}'],
    ['{.missing.field}', ''],
    ['{$.items[1].status.ready}', 'false'],
  ])('%s', (template, expected) => {
    expect(renderJsonPath(template, list)).toBe(expected);
  });

  test.each(['{.items[}', '{.a', '{range .items[*]}x', '{end}'])('%s is refused with the reason', (template) => {
    expect(() => renderJsonPath(template, list)).toThrow(/cannot be read/);
  });

  test('never reads what is no property of its own', () => {
    expect(renderJsonPath('{.constructor.name}', {})).toBe('');
    expect(findByPath('.__proto__', {})).toEqual([]);
  });
});
