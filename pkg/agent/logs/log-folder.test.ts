import { describe, expect, test } from '@jest/globals';
import { logFolderOf } from './log-folder.ts';

describe('the folder of a pod’s logs', () => {
  test('is named for the pod', () => {
    expect(logFolderOf({ namespace: 'default', name: 'web', uid: 'u-1' })).toBe('default_web_u-1');
  });

  test('is never longer than a file system takes, and ends in the uid all the same', () => {
    const folder = logFolderOf({ namespace: 'n'.repeat(63), name: 'a'.repeat(253), uid: '0c3fbbee-11ab-4b60-8c04-c0ecd8724108' });
    expect(folder).toHaveLength(255);
    expect(folder.endsWith('_0c3fbbee-11ab-4b60-8c04-c0ecd8724108')).toBe(true);
  });
});
