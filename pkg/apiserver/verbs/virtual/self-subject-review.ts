import { deepFreeze } from '#api/freeze';
import { selfSubjectReviews } from '#api/shapes/resources';
import { formatTime } from '#base/clock';
import { MadeObject } from '../answer.ts';
import { decodeOptionsOf } from '../decode-options.ts';
import { decodeAs } from '../served-resource.ts';
import type { VirtualResource } from './virtual-resource.ts';

/** Who the server takes the caller for (`kubectl auth whoami`). */
export const selfSubjectReview: VirtualResource = {
  type: selfSubjectReviews,
  create: async (parts, { user }, request) => {
    const { object } = decodeAs(
      selfSubjectReviews,
      'authentication.v1.SelfSubjectReview',
      request.object,
      decodeOptionsOf(request.options),
    );
    const userInfo = {
      username: user.name,
      groups: [...user.groups],
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      ...(user.extra === undefined ? {} : { extra: structuredClone(user.extra) }),
    };
    const metadata = { creationTimestamp: formatTime(parts.clock.now()) };
    return new MadeObject(deepFreeze({ ...object, metadata, status: { userInfo } }));
  },
};
