import { authenticatedGroup, serviceAccountsGroup } from '../request-context.ts';
import { type Authorizer, isResourceAction } from './authorizer.ts';

/** A path, or all paths below it. */
const discovery = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
];
const issuer = ['/.well-known/openid-configuration', '/openid/v1/jwks'];
const selfReviews = [
  { apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], verbs: ['create'] },
  { apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'], verbs: ['create'] },
];

/**
 * What everyone who has shown who they are may do: read what the server offers and how it is, and ask about themselves. Service accounts may also read by
 * which keys their tokens are checked. It is what Kubernetes' own roles (system:discovery, system:basic-user, system:service-account-issuer-discovery) give.
 */
export const basicUser: Authorizer = {
  name: 'basic-user',
  authorize: (action) => {
    const { groups } = action.user;
    if (!groups.includes(authenticatedGroup)) return undefined;
    if (isResourceAction(action)) {
      const own =
        action.verb === 'create' &&
        action.subresource === undefined &&
        selfReviews.some(({ apiGroups, resources }) => apiGroups.includes(action.group) && resources.includes(action.resource));
      return own ? 'everyone may ask about themselves' : undefined;
    }
    if (action.verb !== 'get' && action.verb !== 'head') return undefined;
    if (discovery.some((pattern) => matches(pattern, action.path))) return 'everyone may discover the API';
    return groups.includes(serviceAccountsGroup) && issuer.includes(action.path)
      ? 'every service account may see who issues tokens'
      : undefined;
  },
  rules: ({ groups }) => {
    if (!groups.includes(authenticatedGroup)) return undefined;
    const paths = groups.includes(serviceAccountsGroup) ? [...discovery, ...issuer] : discovery;
    return { resourceRules: selfReviews, nonResourceRules: [{ nonResourceURLs: paths, verbs: ['get'] }] };
  },
};

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}
