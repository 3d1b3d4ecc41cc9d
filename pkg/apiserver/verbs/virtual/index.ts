import { localSubjectAccessReview, selfSubjectAccessReview, selfSubjectRulesReview, subjectAccessReview } from './access-reviews.ts';
import { selfSubjectReview, selfSubjectReviewV1beta1 } from './self-subject-review.ts';
import type { VirtualResource } from './virtual-resource.ts';

/** The questions that this server answers. */
export const virtualResources: readonly VirtualResource[] = [
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  localSubjectAccessReview,
  selfSubjectReview,
  selfSubjectReviewV1beta1,
];
