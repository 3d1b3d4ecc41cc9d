import { randomUUID } from 'node:crypto';
import { deepFreeze } from '#api/freeze';
import type { KubernetesObject } from '#api/object';
import { groupResourceOf } from '#api/object';
import { validateNew } from '#api/registry';
import { formatTime } from '#base/clock';
import { hasReason, StatusError } from '#base/errors';
import { Pace } from '#base/pace';
import { detailsOf, type ObjectName } from '#storage/keys';
import { alreadyExists, ExtraCompareError } from '#storage/store';
import type { RequestContext } from '../request-context.ts';
import type { Answer, ServedObject } from './answer.ts';
import { createThroughSubresource } from './create-subresource.ts';
import { decodeOptionsOf } from './decode-options.ts';
import { generateName } from './generated-name.ts';
import { adoptNamespace, checkNamespace } from './object-name.ts';
import { authorize, type CreateRequest, type VerbParts } from './parts.ts';
import { maximumAttempts, Reservations } from './reservations.ts';
import type { ServedResource } from './served-resource.ts';
import type { SubresourceHandler } from './subresources/handler.ts';

/** Names tried before giving up on a `generateName`. */
const maximumNames = 8;

/** A new object; or, with a subresource, an action on one that there is. */
export async function create(
  parts: VerbParts,
  handlers: readonly SubresourceHandler[],
  context: RequestContext,
  request: CreateRequest,
): Promise<Answer> {
  if (request.subresource !== undefined) return await createThroughSubresource(parts, handlers, context, request);
  const resource = parts.resources.get(request.resource);
  resource.mustHave('create');
  await authorize(parts, context, request);
  checkNamespace(resource, request);
  let names = 0;
  for (let attempt = 0; ; attempt++) {
    const reservations = new Reservations();
    let made: Made | undefined;
    try {
      made = await draftOf(parts, context, resource, request, attempt, reservations);
      return { type: 'object', code: 201, object: await write(parts, resource, request, made) };
    } catch (error) {
      if (made === undefined) throw error;
      if (error instanceof ExtraCompareError && attempt < maximumAttempts) {
        reservations.judge(error);
      } else if (made.generated && hasReason(error, 'AlreadyExists')) {
        if (++names >= maximumNames) throw noFreeName(resource, made.name.name);
      } else {
        throw error;
      }
    } finally {
      reservations.finish();
    }
  }
}

interface Made {
  readonly name: ObjectName;
  readonly generated: boolean;
  readonly draft: KubernetesObject;
  readonly reservations: Reservations;
}

/** The object as it would be stored, completed and found good. */
async function draftOf(
  parts: VerbParts,
  context: RequestContext,
  resource: ServedResource,
  request: CreateRequest,
  attempt: number,
  reservations: Reservations,
): Promise<Made> {
  const { kind } = resource;
  const warn = attempt === 0 ? (text: string) => context.warn(text) : () => undefined;
  const pace = new Pace();
  const decoded = resource.decode(request.object, decodeOptionsOf(request.options));
  if (pace.isDue) await pace.rest();
  for (const warning of decoded.warnings) warn(warning);
  const draft = decoded.object;
  const { metadata } = draft;
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
    throw new StatusError('BadRequest', 'resourceVersion should not be set on objects to be created');
  }
  adoptNamespace(resource, draft, request.namespace);
  const generated = (metadata.name ?? '') === '' && (metadata.generateName ?? '') !== '';
  if (generated) metadata.name = generateName(metadata.generateName ?? '', parts.random);
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  delete metadata.generation;
  delete metadata.managedFields;
  metadata.uid = randomUUID();
  metadata.creationTimestamp = formatTime(parts.clock.now());
  if (kind.changesGeneration !== undefined) metadata.generation = 1;
  kind.defaults?.(draft);
  kind.beforeCreate?.(draft);

  const admission = {
    context: { ...context, warn },
    operation: 'create',
    resource: resource.stored,
    ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
    ...(metadata.name === undefined ? {} : { name: metadata.name }),
    object: draft,
    dryRun: request.options.dryRun === true,
    attempt,
    reserve: (reservation: Parameters<Reservations['add']>[0]) => reservations.add(reservation),
  } as const;
  await parts.admission.mutate(admission);
  for (const warning of kind.warnings?.(draft, undefined) ?? []) warn(warning);
  if (pace.isDue) await pace.rest();
  validateNew(kind, draft, resource.served.version);
  await parts.admission.validate(admission);
  if (pace.isDue) await pace.rest();
  const name = { name: metadata.name ?? '', ...(request.namespace === undefined ? {} : { namespace: request.namespace }) };
  return { name, generated, draft, reservations };
}

async function write(parts: VerbParts, resource: ServedResource, request: CreateRequest, made: Made): Promise<ServedObject> {
  const { name, draft, reservations } = made;
  const { store } = parts;
  if (request.options.dryRun !== true) {
    return resource.serve(await store.create(resource.stored, name, draft, reservations.toExtra()));
  }
  if ((await store.cache.resource(resource.stored).get(name)) !== undefined) throw alreadyExists(resource.stored, name);
  await reservations.check(async (key) => (await store.backend.get(key)).item?.revision ?? 0);
  return resource.serveDraft(deepFreeze(draft));
}

function noFreeName(resource: ServedResource, name: string): StatusError {
  return new StatusError(
    'AlreadyExists',
    `${groupResourceOf(resource.type)} "${name}" already exists, the server was not able to generate a unique name for the object`,
    { details: { ...detailsOf(resource.type, name), retryAfterSeconds: 1 } },
  );
}
