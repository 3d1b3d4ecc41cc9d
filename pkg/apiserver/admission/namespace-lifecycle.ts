import { namespaces } from '#api/shapes/resources';
import type { Namespace } from '#api/shapes/types/core-v1';
import type { CachedObject } from '#storage/cached-object';
import { objectKey } from '#storage/keys';
import { notFound } from '#storage/store';
import type { WatchCache } from '#storage/watch-cache';
import { type AdmissionRequest, type AdmissionStep, forbidden } from './admission.ts';

const immortal: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

/**
 * Nothing is created in a namespace that does not exist or is going away (the commit itself requires that the namespace is still as it was
 * seen), and the namespaces that Berth needs are not deleted.
 */
export function namespaceLifecycle(cache: WatchCache): AdmissionStep {
  const all = cache.resource(namespaces);
  return {
    name: 'namespace-lifecycle',
    validate: (request) => {
      if (request.subresource !== undefined) return undefined;
      if (request.operation === 'delete') {
        refuseImmortal(request);
        return undefined;
      }
      const { namespace } = request;
      if (request.operation !== 'create' || namespace === undefined) return undefined;
      const seen = request.attempt === 0 ? all.peek({ name: namespace }) : undefined;
      if (seen === undefined) return all.get({ name: namespace }).then((found) => requireActive(request, namespace, found));
      requireActive(request, namespace, seen);
      return undefined;
    },
  };
}

function refuseImmortal(request: AdmissionRequest): void {
  const { group, plural } = request.resource;
  if (group === '' && plural === namespaces.plural && immortal.has(request.name ?? '')) {
    throw forbidden(request, 'this namespace may not be deleted');
  }
}

function requireActive(request: AdmissionRequest, namespace: string, found: CachedObject | undefined): void {
  if (found === undefined) throw notFound(namespaces, { name: namespace });
  const { metadata, status } = found.object as Namespace;
  if (metadata.deletionTimestamp !== undefined || status?.phase === 'Terminating') {
    throw forbidden(request, `unable to create new content in namespace ${namespace} because it is being terminated`, [
      { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' },
    ]);
  }
  request.reserve({ key: objectKey(namespaces, { name: namespace }), revision: found.revision });
}
