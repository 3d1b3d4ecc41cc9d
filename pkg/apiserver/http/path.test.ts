import { describe, expect, test } from '@jest/globals';
import { parseResourcePath } from './path.ts';

describe('parseResourcePath', () => {
  test.each([
    ['/api/v1/pods', { group: '', version: 'v1', plural: 'pods', watch: false }],
    ['/api/v1/namespaces', { group: '', version: 'v1', plural: 'namespaces', watch: false }],
    ['/api/v1/namespaces/a', { group: '', version: 'v1', plural: 'namespaces', name: 'a', watch: false }],
    ['/api/v1/namespaces/a/status', { group: '', version: 'v1', plural: 'namespaces', name: 'a', subresource: 'status', watch: false }],
    ['/api/v1/namespaces/a/pods', { group: '', version: 'v1', plural: 'pods', namespace: 'a', watch: false }],
    ['/api/v1/namespaces/a/pods/p', { group: '', version: 'v1', plural: 'pods', namespace: 'a', name: 'p', watch: false }],
    [
      '/api/v1/namespaces/a/pods/p/log',
      { group: '', version: 'v1', plural: 'pods', namespace: 'a', name: 'p', subresource: 'log', watch: false },
    ],
    ['/api/v1/namespaces/a/status/x', { group: '', version: 'v1', plural: 'status', namespace: 'a', name: 'x', watch: false }],
    ['/apis/apps/v1/namespaces/a/deployments/', { group: 'apps', version: 'v1', plural: 'deployments', namespace: 'a', watch: false }],
    [
      '/api/v1/nodes/n/proxy/a/b',
      { group: '', version: 'v1', plural: 'nodes', name: 'n', subresource: 'proxy', rest: 'a/b', watch: false },
    ],
    ['/api/v1/watch/namespaces/a/pods', { group: '', version: 'v1', plural: 'pods', namespace: 'a', watch: true }],
    ['/apis/a%20b/v1/x/%C3%A9', { group: 'a b', version: 'v1', plural: 'x', name: 'é', watch: false }],
  ])('%s', (path, expected) => expect(parseResourcePath(path)).toEqual(expected));

  test.each(['/', '/api', '/api/', '/api/v1', '/api/v1/', '/apis', '/apis/apps', '/apis/apps/v1', '/healthz', ''])(
    '%s is no resource',
    (path) => expect(parseResourcePath(path)).toBeUndefined(),
  );

  test.each(['/api/v1/pods/%zz', '/api/v1/namespaces//pods', '/api/v1//pods'])('%s is refused', (path) =>
    expect(() => parseResourcePath(path)).toThrow(expect.objectContaining({ reason: 'BadRequest' })),
  );
});
