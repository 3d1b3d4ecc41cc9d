import { deepFreeze } from '#api/freeze';
import type { ResourceType } from '#api/object';
import { selfSubjectReviews } from '#api/shapes/resources';
import { formatTime } from '#base/clock';
import type { UserInfo } from '../../request-context.ts';
import { MadeObject } from '../answer.ts';
import { decodeOptionsOf } from '../decode-options.ts';
import { decodeAs } from '../served-resource.ts';
import type { VirtualResource } from './virtual-resource.ts';

/** Who the server takes the caller for (`kubectl auth whoami`). */
export const selfSubjectReview: VirtualResource = reviewOf(selfSubjectReviews);

/** For kubectl before 1.28, which knows no other. */
export const selfSubjectReviewV1beta1: VirtualResource = reviewOf({ ...selfSubjectReviews, version: 'v1beta1' });

function reviewOf(type: ResourceType): VirtualResource {
  return {
    type,
    create: async (parts, { user }, request) => {
      const { object } = decodeAs(type, 'authentication.v1.SelfSubjectReview', request.object, decodeOptionsOf(request.options));
      const metadata = { creationTimestamp: formatTime(parts.clock.now()) };
      return new MadeObject(deepFreeze({ ...object, metadata, status: { userInfo: userInfoOf(user) } }));
    },
  };
}

/** As reviews tell it. */
export function userInfoOf(user: UserInfo): object {
  return {
    username: user.name,
    groups: [...user.groups],
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    ...(user.extra === undefined ? {} : { extra: structuredClone(user.extra) }),
  };
}
