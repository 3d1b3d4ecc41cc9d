import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesFieldSelector, parseFieldSelector, requiredFieldValue } from './field-selector.ts';
import { formatLabelSelector, formatSelector, matchesSelector, parseSelector, selectorOf } from './selector.ts';

describe('label selectors', () => {
  test.each([
    ['', {}, true],
    ['a', { a: '' }, true],
    ['a', {}, false],
    ['!a', {}, true],
    ['!a', { a: 'x' }, false],
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'c' }, false],
    ['a!=b', {}, true],
    ['a!=b', { a: 'b' }, false],
    ['a=', { a: '' }, true],
    ['a=,b', { a: '', b: '1' }, true],
    ['e in (x,y)', { e: 'y' }, true],
    ['e in (x, y),f notin (z)', { e: 'x', f: 'z' }, false],
    ['f notin (z)', {}, true],
    ['e in (,x)', { e: '' }, true],
    ['n>5', { n: '10' }, true],
    ['n<5', { n: '10' }, false],
    ['n>5', { n: 'many' }, false],
    ['in in (in)', { in: 'in' }, true],
    [' a = b , !c ', { a: 'b' }, true],
    ['example.com/x=y', { 'example.com/x': 'y' }, true],
    ['toString', {}, false],
  ])('%j on %j is %s', (text, labels, matches) => {
    expect(matchesSelector(parseSelector(text), labels as Record<string, string>)).toBe(matches);
  });

  test.each([
    ['a=b=c', "unable to parse requirement: found '=', expected: ',' or 'end of string'"],
    [',a', "unable to parse requirement: found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "unable to parse requirement: found '', expected: identifier after ','"],
    ['a in x', "unable to parse requirement: found 'x', expected: '('"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in (x', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a>x', `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseSelector(text)).toThrow(message);
  });

  test('keys and values must be valid', () => {
    expect(() => parseSelector('-a=b')).toThrow('key: Invalid value: "-a": name part must consist of');
    expect(() => parseSelector('a=$')).toThrow('values[0][a]: Invalid value: "$": a valid label must be');
  });

  test('what is formatted parses to the same', () => {
    const names = fc.constantFrom('a', 'b.c', 'example.com/d', 'in');
    const values = fc.constantFrom('', 'x', 'y-1', 'notin');
    const requirement = fc.oneof(
      names,
      names.map((name) => `!${name}`),
      fc.tuple(names, fc.constantFrom('=', '!='), values).map(([name, operator, value]) => `${name}${operator}${value}`),
      fc
        .tuple(names, fc.constantFrom('in', 'notin'), fc.array(values, { minLength: 1 }))
        .map(([name, operator, list]) => `${name} ${operator} (${list.join(',')})`),
    );
    fc.assert(
      fc.property(fc.array(requirement), (list) => {
        const selector = parseSelector(list.join(','));
        expect(formatSelector(parseSelector(formatSelector(selector)))).toBe(formatSelector(selector));
      }),
    );
  });

  test('any text is parsed or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-c=!(),<> ]{0,20}$/)), (text) => {
        try {
          parseSelector(text);
        } catch (error) {
          expect((error as Error).message).toMatch(/^unable to parse requirement: /);
        }
      }),
    );
  });

  test('a LabelSelector: absent selects nothing, empty everything', () => {
    expect(selectorOf(undefined)).toBeUndefined();
    expect(selectorOf({})).toEqual([]);
    const selector = { matchLabels: { b: '1', a: '2' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] };
    expect(matchesSelector(selectorOf(selector) ?? [], { a: '2', b: '1', c: '' })).toBe(true);
    expect(formatLabelSelector(selector)).toBe('a=2,b=1,c');
    expect(() => selectorOf({ matchExpressions: [{ key: 'c', operator: 'Like' }] })).toThrow(
      '"Like" is not a valid label selector operator',
    );
  });
});

describe('field selectors', () => {
  test('equal, not equal, several, escaped', () => {
    const read = (path: string): string => ({ 'a.b': 'x', c: 'p,q' })[path] ?? '';
    for (const text of ['a.b=x', 'a.b==x,c!=y', 'c=p\\,q', 'd=', ''])
      expect([text, matchesFieldSelector(parseFieldSelector(text), read)]).toEqual([text, true]);
    for (const text of ['a.b=y', 'a.b!=x', 'c=p'])
      expect([text, matchesFieldSelector(parseFieldSelector(text), read)]).toEqual([text, false]);
    expect(requiredFieldValue(parseFieldSelector('a!=b,metadata.name=x'), 'metadata.name')).toBe('x');
  });

  test('what cannot be understood is refused', () => {
    expect(() => parseFieldSelector('abc')).toThrow("invalid selector: 'abc'; can't understand 'abc'");
    expect(() => parseFieldSelector('a=b=c')).toThrow('unescaped character');
  });
});
