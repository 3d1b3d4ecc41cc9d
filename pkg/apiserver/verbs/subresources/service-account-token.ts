/** A token for a service account (`kubectl create token`): made for who asks, stored nowhere. */
import { FieldErrors } from '#api/field-errors';
import { deepFreeze } from '#api/freeze';
import { groupResourceOf, type KubernetesObject, parseApiVersion, type ResourceType } from '#api/object';
import { nodes, pods, secrets, serviceAccounts } from '#api/shapes/resources';
import type { BoundObjectReference, TokenRequest } from '#api/shapes/types/authentication-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason, StatusError } from '#base/errors';
import type { TokenSigner, TokenSubject } from '../../auth/token-signer.ts';
import { MadeObject } from '../answer.ts';
import { objectNameOf } from '../object-name.ts';
import type { VerbParts } from '../parts.ts';
import type { SubresourceHandler } from './handler.ts';

const defaultSeconds = 3600;
const leastSeconds = 600;
const mostSeconds = 2 ** 32;

export function serviceAccountToken(signer: TokenSigner): SubresourceHandler {
  return {
    resource: serviceAccounts,
    subresource: 'token',
    create: async (parts, _context, request, resource, body) => {
      const asked = body as TokenRequest;
      const name = objectNameOf(resource, request);
      const account = (await parts.store.get(serviceAccounts, name)).object;
      mustAgree(asked, 'name', request.name);
      mustAgree(asked, 'namespace', request.namespace ?? '');
      const audiences = (asked.spec.audiences ?? []).length === 0 ? [signer.issuer] : asked.spec.audiences!;
      const expirationSeconds = asked.spec.expirationSeconds ?? defaultSeconds;
      checkDuration(expirationSeconds);
      const reference = asked.spec.boundObjectRef;
      const bound = reference === undefined ? {} : await boundTo(parts, reference, account);
      const subject = { namespace: request.namespace ?? '', serviceaccount: referenceTo(account), ...bound };
      const made = signer.issue(subject, audiences, expirationSeconds);
      const answer: KubernetesObject = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { name: request.name, namespace: request.namespace ?? '', creationTimestamp: formatTime(parts.clock.now()) },
        ...{
          spec: { audiences, expirationSeconds, ...(reference === undefined ? {} : { boundObjectRef: reference }) },
          // A dry run gives nothing that could be used.
          status: { token: request.options.dryRun === true ? '' : made.token, expirationTimestamp: formatTime(made.claims.exp * 1000) },
        },
      };
      return { type: 'object', code: 201, object: new MadeObject(deepFreeze(answer)) };
    },
  };
}

function mustAgree({ metadata }: TokenRequest, field: 'name' | 'namespace', expected: string): void {
  const given = metadata?.[field] ?? '';
  if (given === '' || given === expected) return;
  const what = field === 'name' ? 'name of the object' : 'namespace of the object';
  throw new StatusError('BadRequest', `the ${what} (${given}) does not match the ${field} on the URL (${expected})`);
}

function checkDuration(seconds: number): void {
  const errors = new FieldErrors();
  const field = 'spec.expirationSeconds';
  if (seconds < leastSeconds) errors.invalid(field, seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > mostSeconds) errors.invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds');
  errors.throwIfAny({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '');
}

/** What the token is to end with. Throws `NotFound`, `Conflict`, `BadRequest`. */
async function boundTo(
  parts: VerbParts,
  reference: BoundObjectReference,
  account: KubernetesObject,
): Promise<Pick<TokenSubject, 'pod' | 'secret' | 'node'>> {
  const { group, version } = parseApiVersion(reference.apiVersion ?? '');
  const { namespace = '' } = account.metadata;
  const found = async (type: ResourceType, name: { readonly namespace?: string; readonly name: string }): Promise<KubernetesObject> => {
    const { object } = await parts.store.get(type, name);
    const { uid = '' } = reference;
    if (uid === '' || uid === object.metadata.uid) return object;
    throw new StatusError(
      'Conflict',
      `Operation cannot be fulfilled on ${groupResourceOf(type)} ${JSON.stringify(name.name)}: the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      { details: { name: name.name, kind: type.plural } },
    );
  };
  const { name = '' } = reference;
  switch (group === '' && version === 'v1' ? reference.kind : undefined) {
    case 'Pod': {
      const pod = (await found(pods, { namespace, name })) as Pod;
      const actsAs = pod.spec?.serviceAccountName ?? 'default';
      if (actsAs !== account.metadata.name) {
        throw new StatusError(
          'BadRequest',
          `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name ${JSON.stringify(actsAs)}.`,
        );
      }
      return { pod: referenceTo(pod), ...(await nodeOf(parts, pod)) };
    }
    case 'Node':
      return { node: referenceTo(await found(nodes, { name })) };
    case 'Secret':
      return { secret: referenceTo(await found(secrets, { namespace, name })) };
    default:
      throw new StatusError(
        'BadRequest',
        `cannot bind token to object of type ${group}/${version}, Kind=${reference.kind ?? ''}`.replace('type /', 'type '),
      );
  }
}

/** The uid is left out of a token for a pod whose node is not there (any more). */
async function nodeOf(parts: VerbParts, pod: Pod): Promise<Pick<TokenSubject, 'node'>> {
  const name = pod.spec?.nodeName ?? '';
  if (name === '') return {};
  try {
    return { node: referenceTo((await parts.store.get(nodes, { name })).object) };
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
    return { node: { name } };
  }
}

function referenceTo({ metadata: { name = '', uid = '' } }: KubernetesObject): { readonly name: string; readonly uid: string } {
  return { name, uid };
}
