import { authenticatedGroup } from '../request-context.ts';
import { type Authorizer, isResourceAction } from './authorizer.ts';

const readable = /^\/(healthz|livez|readyz|version|api|apis|openapi)(\/.*)?$/;
const selfReviews: ReadonlySet<string> = new Set([
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authentication.k8s.io/selfsubjectreviews',
]);

/** What everyone who has shown who they are may do: read what the server offers and how it is, and ask about themselves. */
export const basicUser: Authorizer = {
  name: 'basic-user',
  authorize: (action) => {
    if (!action.user.groups.includes(authenticatedGroup)) return undefined;
    if (isResourceAction(action)) {
      const own = action.verb === 'create' && selfReviews.has(`${action.group}/${action.resource}`);
      return own ? 'everyone may ask about themselves' : undefined;
    }
    return (action.verb === 'get' || action.verb === 'head') && readable.test(action.path) ? 'everyone may discover the API' : undefined;
  },
};
