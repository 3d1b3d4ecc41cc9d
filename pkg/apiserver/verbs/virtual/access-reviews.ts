/** Whether someone may do something: the four reviews of `authorization.k8s.io`, answered by the authorizers that guard the verbs. */
import { deepFreeze } from '#api/freeze';
import type { KubernetesObject, ResourceType } from '#api/object';
import { localSubjectAccessReviews, selfSubjectAccessReviews, selfSubjectRulesReviews, subjectAccessReviews } from '#api/shapes/resources';
import type {
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '#api/shapes/types/authorization-v1';
import { StatusError } from '#base/errors';
import { type Action, decide } from '../../authorization/authorizer.ts';
import type { UserInfo } from '../../request-context.ts';
import { MadeObject } from '../answer.ts';
import { decodeOptionsOf } from '../decode-options.ts';
import type { CreateRequest, VerbParts } from '../parts.ts';
import { decodeAs } from '../served-resource.ts';
import type { VirtualResource } from './virtual-resource.ts';

export const selfSubjectAccessReview: VirtualResource = {
  type: selfSubjectAccessReviews,
  create: async (parts, context, request) => {
    const review = read<SelfSubjectAccessReview>(selfSubjectAccessReviews, request);
    return await answer(parts, review, context.user, review.spec);
  },
};

export const subjectAccessReview: VirtualResource = {
  type: subjectAccessReviews,
  create: async (parts, _, request) => {
    const review = read<SubjectAccessReview>(subjectAccessReviews, request);
    return await answer(parts, review, subjectOf(review.spec), review.spec);
  },
};

export const localSubjectAccessReview: VirtualResource = {
  type: localSubjectAccessReviews,
  create: async (parts, _, request) => {
    const review = read<LocalSubjectAccessReview>(localSubjectAccessReviews, request);
    if (review.spec.resourceAttributes?.namespace !== request.namespace) {
      throw new StatusError('BadRequest', 'spec.resourceAttributes.namespace must be the namespace of the request');
    }
    return await answer(parts, review, subjectOf(review.spec), review.spec);
  },
};

/** What the caller may, by every authorizer that can tell it; incomplete where one of them cannot. */
export const selfSubjectRulesReview: VirtualResource = {
  type: selfSubjectRulesReviews,
  create: async (parts, { user }, request) => {
    const review = read<SelfSubjectRulesReview>(selfSubjectRulesReviews, request);
    if ((review.spec.namespace ?? '') === '') throw new StatusError('BadRequest', 'no namespace on request');
    const all = parts.authorizers.map((authorizer) => authorizer.rules(user));
    const told = all.flatMap((rules) => (rules === undefined || rules === 'untold' ? [] : [rules]));
    const status = {
      resourceRules: told.flatMap((rules) => rules.resourceRules),
      nonResourceRules: told.flatMap((rules) => rules.nonResourceRules),
      incomplete: all.includes('untold'),
    };
    return new MadeObject(deepFreeze(structuredClone({ ...review, status })));
  },
};

interface Asked {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

async function answer(parts: VerbParts, review: KubernetesObject, user: UserInfo, asked: Asked): Promise<MadeObject> {
  const decision = await decide(parts.authorizers, actionOf(user, asked));
  const status = decision.allowed ? { allowed: true, reason: decision.reason } : { allowed: false };
  return new MadeObject(deepFreeze({ ...review, status }));
}

function actionOf(user: UserInfo, { resourceAttributes: resource, nonResourceAttributes: path }: Asked): Action {
  if ((resource === undefined) === (path === undefined)) {
    throw new StatusError('BadRequest', 'spec: exactly one of resourceAttributes and nonResourceAttributes must be given');
  }
  if (resource === undefined) return { user, verb: path?.verb ?? '', path: path?.path ?? '' };
  const { verb = '', group = '', version, resource: plural = '', subresource, namespace, name } = resource;
  return {
    user,
    verb,
    group,
    resource: plural,
    ...(version === undefined ? {} : { version }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
}

function subjectOf(spec: { readonly user?: string; readonly groups?: string[]; readonly uid?: string }): UserInfo {
  if ((spec.user ?? '') === '' && (spec.groups ?? []).length === 0)
    throw new StatusError('BadRequest', 'spec: at least one of user and groups must be given');
  return { name: spec.user ?? '', groups: spec.groups ?? [], ...(spec.uid === undefined ? {} : { uid: spec.uid }) };
}

function read<T extends KubernetesObject>(type: ResourceType<T>, request: CreateRequest): T {
  return decodeAs(type, `authorization.v1.${type.kind}`, request.object, decodeOptionsOf(request.options)).object as T;
}
