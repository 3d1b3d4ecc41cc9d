import { describe, expect, test } from '@jest/globals';
import { formatJoinToken, generateTokenParts, parseJoinToken } from './join-token.ts';

describe('a join token', () => {
  test('is read as it was written', () => {
    const token = { ...generateTokenParts(), authorityHash: 'a'.repeat(64) };
    expect(parseJoinToken(`${formatJoinToken(token)}\n`)).toEqual(token);
  });

  test.each(['', 'abcdef.0123456789abcdef', 'berth1.abcdef.0123456789abcdef.beef'])('that is %p is refused with what to do', (text) => {
    expect(() => parseJoinToken(text)).toThrow('berth token create');
  });
});
