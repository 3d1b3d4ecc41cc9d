import { describe, expect, test } from '@jest/globals';
import { LineCounter } from 'yaml';
import { YamlNestingError, yamlDocuments } from './yaml-documents.ts';

describe('yamlDocuments', () => {
  test('gives each document, with positions', () => {
    const lineCounter = new LineCounter();
    const documents = yamlDocuments('a: 1\n---\nb: [x, {c: d}]\n', { lineCounter });
    expect(documents.map((document) => document.toJS())).toEqual([{ a: 1 }, { b: ['x', { c: 'd' }] }]);
    expect(lineCounter.linePos(5)).toEqual({ line: 2, col: 1 });
  });

  test('keeps syntax errors in the document', () => {
    expect(yamlDocuments('a: [1', { prettyErrors: false })[0]?.errors).toHaveLength(1);
  });

  test.each([
    ['flow sequences', '['],
    ['flow mappings', '{a: '],
    ['compact sequences', '- '],
    ['complex keys', '? '],
  ])('refuses %s that nest without end, again and again', (_name, step) => {
    for (let round = 0; round < 3; round++) {
      for (const times of [102, 1_000, 20_000]) expect(() => yamlDocuments(step.repeat(times))).toThrow(YamlNestingError);
    }
  });

  test('allows as many levels as asked for', () => {
    const nested = `${'['.repeat(50)}${']'.repeat(50)}`;
    expect(yamlDocuments(nested, { depth: 50 })[0]?.errors).toEqual([]);
    expect(() => yamlDocuments(nested, { depth: 40 })).toThrow('nested more than 40 levels deep');
  });
});
