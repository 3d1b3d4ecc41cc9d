import { pods } from '#api/shapes/resources';
import type { Eviction } from '#api/shapes/types/policy-v1';
import { StatusError } from '#base/errors';
import type { DeleteOptions } from '#client/transport';
import { removeObject } from '../delete.ts';
import { objectNameOf } from '../object-name.ts';
import type { SubresourceHandler } from './handler.ts';

/** A deletion that may be put off. Disruption budgets are not kept yet, so that it never is. */
export const eviction: SubresourceHandler = {
  resource: pods,
  subresource: 'eviction',
  create: async (parts, context, request, resource, body) => {
    const { deleteOptions = {}, metadata } = body as Eviction;
    if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== request.name) {
      throw new StatusError('BadRequest', 'name in URL does not match name in Eviction object');
    }
    const { gracePeriodSeconds, preconditions, propagationPolicy } = deleteOptions;
    const options: DeleteOptions = {
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(propagationPolicy === undefined
        ? {}
        : { propagationPolicy: propagationPolicy as NonNullable<DeleteOptions['propagationPolicy']> }),
      ...(preconditions === undefined ? {} : { preconditions }),
      dryRun: request.options.dryRun === true || (deleteOptions.dryRun ?? []).length > 0,
    };
    await removeObject(parts, context, resource, objectNameOf(resource, request), options);
    return { type: 'status', code: 201, status: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
  },
};
