import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { internalKey, itemKey, objectKey, parseItemKey, parseObjectKey, resourcePrefix } from './keys.ts';

describe('keys', () => {
  test('have the form of DESIGN', () => {
    expect(objectKey({ group: '', plural: 'pods' }, { namespace: 'default', name: 'web' })).toBe('/berth/core/pods/default/web');
    expect(objectKey({ group: 'apps', plural: 'deployments' }, { namespace: 'a', name: 'b' })).toBe('/berth/apps/deployments/a/b');
    expect(objectKey({ group: '', plural: 'nodes' }, { name: 'n1' })).toBe('/berth/core/nodes/n1');
    expect(resourcePrefix({ group: '', plural: 'pods' })).toBe('/berth/core/pods/');
    expect(internalKey('clusterIPs', '10.96.0.1')).toBe('/berth/_/clusterIPs/10.96.0.1');
  });

  test('of any name are printable ASCII and give the name back', () => {
    fc.assert(
      fc.property(
        fc.option(fc.string({ minLength: 1, unit: 'grapheme' }), { nil: undefined }),
        fc.string({ minLength: 1, unit: 'grapheme' }),
        (namespace, name) => {
          const item = itemKey({ namespace, name });
          expect(item).toMatch(/^[\x21-\x7e]+$/);
          expect(parseItemKey(item)).toEqual({ namespace, name });
          expect(parseObjectKey(objectKey({ group: 'apps', plural: 'things' }, { namespace, name }))).toEqual({
            resource: 'apps/things',
            item,
          });
        },
      ),
    );
  });

  test('that are no objects do not parse as one', () => {
    for (const key of [internalKey('a', 'b', 'c'), '/berth/core/pods/', '/berth/core', '/other/core/pods/a/b', '/berth/'])
      expect(parseObjectKey(key)).toBeUndefined();
  });
});
