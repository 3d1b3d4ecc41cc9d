import { expect, test } from '@jest/globals';
import { StatusError } from '#base/errors';
import { RetryAfter } from './retry-after.ts';
import type { ApiRequest } from './transport.ts';

const resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
const failure = (code: number): StatusError => new StatusError('InternalError', 'no', { code });
const list: ApiRequest = { verb: 'list', resource, options: {} };
const create: ApiRequest = { verb: 'create', resource, object: {}, options: {} };

test('429 is tried again whatever the request, other refusals only where nothing is written; both when the server says when', () => {
  expect(new RetryAfter(create).delayFor(failure(429), '2')).toBe(2000);
  expect(new RetryAfter(list).delayFor(failure(429), '1')).toBe(1000);
  expect(new RetryAfter(list).delayFor(failure(503), '3')).toBe(3000);
  expect(new RetryAfter(list).delayFor(failure(504), '0')).toBe(0);
  expect(new RetryAfter(create).delayFor(failure(503), '1')).toBeUndefined();
  expect(new RetryAfter(create).delayFor(failure(504), '1')).toBeUndefined();
  expect(new RetryAfter(list).delayFor(failure(429), undefined)).toBeUndefined();
  expect(new RetryAfter(list).delayFor(failure(404), '1')).toBeUndefined();
  for (const odd of ['', '-1', '1.5', 'Wed, 21 Oct 2026 07:28:00 GMT', '9'.repeat(20)]) {
    expect(new RetryAfter(list).delayFor(failure(429), odd)).toBeUndefined();
  }
});

test('not for ever: ten times, and a minute in all', () => {
  const often = new RetryAfter(list);
  for (let retry = 0; retry < 10; retry++) expect(often.delayFor(failure(429), '1')).toBe(1000);
  expect(often.delayFor(failure(429), '1')).toBeUndefined();
  const long = new RetryAfter(list);
  expect(long.delayFor(failure(429), '40')).toBe(40_000);
  expect(long.delayFor(failure(429), '30')).toBeUndefined();
});

test('a revision that does not exist does not come by waiting', () => {
  const details = { causes: [{ reason: 'ResourceVersionTooLarge' }] };
  expect(new RetryAfter(list).delayFor(new StatusError('Timeout', 'Too large resource version', { details }), '1')).toBeUndefined();
});
