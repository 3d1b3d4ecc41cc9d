import { describe, expect, test } from '@jest/globals';
import type { UserInfo } from '../request-context.ts';
import { type Action, type Authorizer, decide, mustBeAllowed } from './authorizer.ts';
import { basicUser } from './basic-user.ts';
import { superusers } from './superusers.ts';

const list: readonly Authorizer[] = [superusers, basicUser];
const someone: UserInfo = { name: 'ann', groups: ['system:authenticated'] };
const listPods = (user: UserInfo): Action => ({ user, verb: 'list', group: '', resource: 'pods', namespace: 'default' });

describe('authorization', () => {
  test('the administrators and the components may everything', async () => {
    for (const user of [
      { name: 'root', groups: ['system:masters'] },
      { name: 'system:kube-scheduler', groups: [] },
      { name: 'system:controller:deployment', groups: [] },
      { name: 'system:berth:dispatcher', groups: [] },
    ]) {
      expect(await decide(list, listPods(user))).toMatchObject({ allowed: true });
    }
    for (const name of ['system:controller:', 'system:kube-schedulers', 'xsystem:berth:y', 'system:anonymous']) {
      expect(await decide(list, listPods({ name, groups: [] }))).toEqual({ allowed: false });
    }
  });

  test('refuses in the words of Kubernetes', async () => {
    const messageFor = async (action: Action): Promise<string> => {
      const error = await Promise.resolve()
        .then(() => mustBeAllowed(list, action))
        .catch((reason: unknown) => reason);
      return (error as Error).message;
    };
    expect(await messageFor(listPods(someone))).toBe(
      'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    expect(
      await messageFor({
        user: someone,
        verb: 'update',
        group: 'apps',
        resource: 'deployments',
        subresource: 'scale',
        name: 'd',
        namespace: 'x',
      }),
    ).toBe(
      'deployments.apps "d" is forbidden: User "ann" cannot update resource "deployments/scale" in API group "apps" in the namespace "x"',
    );
    expect(await messageFor({ user: someone, verb: 'get', group: '', resource: 'nodes', name: 'n' })).toBe(
      'nodes "n" is forbidden: User "ann" cannot get resource "nodes" in API group "" at the cluster scope',
    );
    expect(await messageFor({ user: someone, verb: 'get', path: '/metrics' })).toBe('forbidden: User "ann" cannot get path "/metrics"');
  });

  test('everyone known may discover the API and ask about themselves, the anonymous nothing', async () => {
    const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
    const review = { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' };
    for (const path of ['/healthz', '/api', '/apis/apps/v1', '/openapi/v3', '/version']) {
      expect(await decide(list, { user: someone, verb: 'get', path })).toMatchObject({ allowed: true });
      expect(await decide(list, { user: anonymous, verb: 'get', path })).toMatchObject({ allowed: false });
    }
    expect(await decide(list, { user: someone, verb: 'get', path: '/healthzx' })).toMatchObject({ allowed: false });
    expect(await decide(list, { user: someone, ...review })).toMatchObject({ allowed: true });
    expect(await decide(list, { user: anonymous, ...review })).toMatchObject({ allowed: false });
  });
});
