import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { KubernetesObject } from '#api/object';
import { nameOf, parseOutputFormat, renderObjects, renderYaml } from './output.ts';

const pod = (name: string): KubernetesObject =>
  ({ kind: 'Pod', spec: { b: 1, a: ['x'] }, apiVersion: 'v1', metadata: { name, labels: { on: 'yes' } } }) as KubernetesObject;

function render(format: string, objects: readonly KubernetesObject[], single = false): string {
  const parsed = parseOutputFormat(format);
  if (parsed.type === 'table') throw new Error('a table comes from the server');
  return renderObjects(parsed, objects, single);
}

describe('-o', () => {
  test('yaml has its keys in order, lists without an indent, and quotes what YAML 1.1 would misread', () => {
    expect(render('yaml', [pod('a')], true)).toBe(
      'apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    "on": "yes"\n  name: a\nspec:\n  a:\n  - x\n  b: 1\n',
    );
  });

  test('yaml is read back as it was, by readers of YAML 1.1 too', () => {
    const awkward = fc.constantFrom(
      'yes',
      'off',
      'NO',
      '~',
      'null',
      '1e3',
      '0440',
      '0x1f',
      '1:30',
      '12:30:45',
      '2026-01-02',
      '1_000',
      '.inf',
      '<<',
      '=',
      '- a',
      '# x',
      '',
    );
    const text = fc.oneof(awkward, fc.string(), fc.string({ unit: 'binary' }));
    const values = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, text, fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('map')),
      list: fc.array(tie('value'), { maxLength: 4 }),
      // No object of the API can have a key `<<`.
      map: fc.dictionary(
        text.filter((key) => key !== '__proto__' && key !== '<<'),
        tie('value'),
        { maxKeys: 4 },
      ),
    }));
    fc.assert(
      fc.property(values.map, (value) => {
        expect(parse(renderYaml(value), { version: '1.1', merge: true })).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 300 },
    );
  });

  test('json of several is a List, of one that was named the object itself', () => {
    expect(JSON.parse(render('json', [pod('a'), pod('b')]))).toMatchObject({ kind: 'List', items: [{ kind: 'Pod' }, { kind: 'Pod' }] });
    expect(JSON.parse(render('json', [pod('a')]))).toMatchObject({ kind: 'List' });
    expect(render('json', [pod('a')], true)).toMatch(/^\{\n {4}"apiVersion": "v1",\n {4}"kind": "Pod",\n/);
  });

  test('name is type/name', () => {
    expect(render('name', [pod('a'), pod('b')])).toBe('pod/a\npod/b\n');
    expect(nameOf({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } })).toBe('deployment.apps/x');
  });

  test('custom-columns and jsonpath', () => {
    expect(render('custom-columns=NAME:.metadata.name,A:.spec.a,NONE:.spec.none', [pod('a')])).toBe(
      'NAME   A       NONE\na      ["x"]   <none>\n',
    );
    expect(render('jsonpath={.items[*].metadata.name}', [pod('a'), pod('b')])).toBe('a b');
  });

  test.each(['xml', 'jsonpath', 'jsonpath=', 'custom-columns=', 'custom-columns=NAME'])('%s is refused with what there is', (format) => {
    expect(() => parseOutputFormat(format)).toThrow(/unknown output format|is not HEADER:\.path/);
  });
});
