import { mastersGroup, type UserInfo } from '../request-context.ts';
import type { Authorizer } from './authorizer.ts';

const components = /^system:(kube-scheduler$|kube-controller-manager$|apiserver$|controller:.|berth:.)/;

/** The administrators' group, and the server's own components, which act with no narrower rights until RBAC comes. */
export const superusers: Authorizer = {
  name: 'superusers',
  authorize: ({ user }) => reasonFor(user),
  rules: (user) => (reasonFor(user) === undefined ? undefined : everything),
};

const everything = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

function reasonFor(user: UserInfo): string | undefined {
  if (user.groups.includes(mastersGroup)) return `the group ${mastersGroup} may do everything`;
  return components.test(user.name) ? 'a component of the control plane' : undefined;
}
