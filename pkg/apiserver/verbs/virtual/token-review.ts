import { deepFreeze } from '#api/freeze';
import { tokenReviews } from '#api/shapes/resources';
import type { TokenReview } from '#api/shapes/types/authentication-v1';
import { hasReason, StatusError } from '#base/errors';
import type { TokenAuthenticator } from '../../auth/token-authenticator.ts';
import { MadeObject } from '../answer.ts';
import { decodeOptionsOf } from '../decode-options.ts';
import { decodeAs } from '../served-resource.ts';
import { userInfoOf } from './self-subject-review.ts';
import type { VirtualResource } from './virtual-resource.ts';

/** Whose token this is, for services that were shown it. */
export function tokenReview(authenticator: TokenAuthenticator): VirtualResource {
  return {
    type: tokenReviews,
    create: async (_parts, _context, request) => {
      const { object } = decodeAs(tokenReviews, 'authentication.v1.TokenReview', request.object, decodeOptionsOf(request.options));
      const { spec } = object as TokenReview;
      if (spec.token === '') throw new StatusError('BadRequest', 'token is required for TokenReview in authentication');
      const audiences = (spec.audiences ?? []).length === 0 ? undefined : spec.audiences;
      return new MadeObject(deepFreeze({ ...object, status: await judge(authenticator, spec.token, audiences) }));
    },
  };
}

async function judge(authenticator: TokenAuthenticator, token: string, audiences: readonly string[] | undefined): Promise<object> {
  try {
    const { user, audiences: meant } = await authenticator.authenticate(token, audiences);
    return { authenticated: true, user: userInfoOf(user), audiences: meant };
  } catch (error) {
    if (!hasReason(error, 'Unauthorized')) throw error;
    return { user: {}, error: error.message };
  }
}
