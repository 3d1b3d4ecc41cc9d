import { describe, expect, test } from '@jest/globals';
import { flag, parseDeleteOptions, parseListOptions, parseWatchOptions, parseWriteOptions } from './query.ts';

const query = (text: string): URLSearchParams => new URLSearchParams(text);

describe('flags', () => {
  test.each([
    ['watch=true', true],
    ['watch=True', true],
    ['watch=1', true],
    ['watch', true],
    ['watch=yes', true],
    ['watch=false', false],
    ['watch=FALSE', false],
    ['watch=0', false],
    ['', false],
  ])('%s', (text, expected) => expect(flag(query(text), 'watch')).toBe(expected));
});

describe('list and watch options', () => {
  test('leave out what was not given', () => {
    expect(parseListOptions(query('limit=500&labelSelector=a%3Db&continue='))).toEqual({ limit: 500, labelSelector: 'a=b' });
    expect(parseWatchOptions(query('watch=1'))).toEqual({ allowWatchBookmarks: false });
    expect(parseWatchOptions(query('sendInitialEvents=false&timeoutSeconds=5'))).toEqual({
      allowWatchBookmarks: false,
      sendInitialEvents: false,
      timeoutSeconds: 5,
    });
  });

  test('are refused when they are no numbers', () => {
    expect(() => parseListOptions(query('limit=ten'))).toThrow(/limit.*invalid syntax/);
  });
});

describe('write options', () => {
  test('warn of unknown fields unless told otherwise', () => {
    expect(parseWriteOptions(query(''), 'CreateOptions')).toEqual({ fieldValidation: 'Warn' });
    expect(parseWriteOptions(query('dryRun=All&fieldManager=me&fieldValidation=Strict'), 'PatchOptions')).toEqual({
      dryRun: true,
      fieldManager: 'me',
      fieldValidation: 'Strict',
    });
  });

  test('have no force, which is for patches of a sort that there is not', () => {
    expect(() => parseWriteOptions(query('force=true'), 'PatchOptions')).toThrow(
      /force: Forbidden: may not be specified for non-apply patch/,
    );
    expect(parseWriteOptions(query('force=true'), 'CreateOptions')).toEqual({ fieldValidation: 'Warn' });
  });

  test('name every wrong value', () => {
    expect(() => parseWriteOptions(query('dryRun=Some&fieldValidation=x'), 'CreateOptions')).toThrow(
      'CreateOptions.meta.k8s.io "" is invalid: [dryRun: Unsupported value: "Some": supported values: "All", fieldValidation: Unsupported value: "x": supported values: "Ignore", "Warn", "Strict"]',
    );
  });
});

describe('delete options', () => {
  test('come from the body before the query', () => {
    expect(parseDeleteOptions(query('propagationPolicy=Orphan&gracePeriodSeconds=5'), undefined)).toEqual({
      propagationPolicy: 'Orphan',
      gracePeriodSeconds: 5,
    });
    expect(
      parseDeleteOptions(query('propagationPolicy=Orphan'), {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: 'Background',
        gracePeriodSeconds: 0,
        preconditions: { uid: 'u' },
        dryRun: ['All'],
      }),
    ).toEqual({ propagationPolicy: 'Background', gracePeriodSeconds: 0, preconditions: { uid: 'u' }, dryRun: true });
    expect(parseDeleteOptions(query('orphanDependents=true'), undefined)).toEqual({ propagationPolicy: 'Orphan' });
  });

  test('are refused when they mean nothing', () => {
    expect(() => parseDeleteOptions(query(''), { kind: 'Pod' })).toThrow(/must be DeleteOptions/);
    expect(() => parseDeleteOptions(query(''), { gracePeriodSeconds: -1 })).toThrow(/0 or more/);
    expect(() => parseDeleteOptions(query(''), { propagationPolicy: 'Maybe' })).toThrow(/Unsupported value: "Maybe"/);
    expect(() => parseDeleteOptions(query(''), { preconditions: { uid: 5 } })).toThrow(/preconditions.uid must be a string/);
  });
});
