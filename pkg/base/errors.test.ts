import { expect, test } from '@jest/globals';
import { codeOf, hasReason, messageOf, StatusError } from './errors.ts';

test('a StatusError goes over the wire and comes back the same', () => {
  const error = new StatusError('Invalid', 'Pod "x" is invalid', {
    details: { name: 'x', kind: 'Pod', causes: [{ reason: 'FieldValueRequired', field: 'spec' }] },
  });
  const again = StatusError.fromStatus(JSON.parse(JSON.stringify(error.toStatus())) as object);
  expect(again.toStatus()).toEqual(error.toStatus());
  expect(again.code).toBe(422);
});

test('a Status with a reason that nobody knows is an internal error that keeps its code', () => {
  const error = StatusError.fromStatus({ reason: 'Teapot' as never, code: 418, message: 'short and stout' });
  expect(error).toMatchObject({ reason: 'InternalError', code: 418, message: 'short and stout' });
});

test('reason, message and code are told of anything that was thrown', () => {
  expect(hasReason(new StatusError('NotFound', 'x'), 'NotFound')).toBe(true);
  expect(hasReason(new Error('x'), 'NotFound')).toBe(false);
  expect(messageOf('text')).toBe('text');
  expect(messageOf({ message: 'm' })).toBe('m');
  expect(codeOf(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe('ENOENT');
  expect(codeOf(undefined)).toBeUndefined();
});
