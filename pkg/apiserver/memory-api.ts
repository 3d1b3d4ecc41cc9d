/** The whole API but its HTTP, over the memory backend: what tests of this folder, and of whatever speaks to a Client, run against. */
import { kindRegistry } from '#api/kinds/index';
import type { KindRegistry } from '#api/registry';
import { type Clock, systemClock } from '#base/clock';
import type { Client } from '#client/client';
import { createClient } from '#client/typed-client';
import type { Backend } from '#storage/backend';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { Store } from '#storage/store';
import { WatchCache } from '#storage/watch-cache';
import type { AdmissionStep } from './admission/admission.ts';
import { createAdmissionSteps } from './admission/index.ts';
import { generatePrivateKey } from './auth/certificates.ts';
import { TokenAuthenticator } from './auth/token-authenticator.ts';
import { TokenSigner } from './auth/token-signer.ts';
import { createAuthorizers } from './authorization/index.ts';
import { boundPodsOf } from './bound-pods.ts';
import { indexers } from './indexers.ts';
import { createLocalTransport } from './local-transport.ts';
import { authenticatedGroup, mastersGroup, type UserInfo } from './request-context.ts';
import { subresourceHandlers } from './verbs/subresources/index.ts';
import { serviceAccountToken } from './verbs/subresources/service-account-token.ts';
import { Verbs } from './verbs/verbs.ts';
import { virtualResources } from './verbs/virtual/index.ts';
import { tokenReview } from './verbs/virtual/token-review.ts';
import type { VirtualResource } from './verbs/virtual/virtual-resource.ts';

export interface MemoryApiOptions {
  readonly clock?: Clock;
  readonly backend?: Backend;
  readonly registry?: KindRegistry;
  /** Run after the server's own steps. */
  readonly moreAdmission?: readonly AdmissionStep[];
  /** The server's own unless given. */
  readonly virtualResources?: readonly VirtualResource[];
  readonly clusterIpRange?: string;
  readonly nodePortRange?: readonly [number, number];
}

export interface MemoryApi {
  readonly verbs: Verbs;
  readonly store: Store;
  readonly backend: Backend;
  /** As the administrator, unless another user is given. */
  client(user?: UserInfo): Client;
  /** Ends everything; throws what ended the cache before, if it did. */
  stop(): Promise<void>;
}

export const administrator: UserInfo = { name: 'admin', groups: [mastersGroup, authenticatedGroup] };

/** Starts one, empty, with nothing bootstrapped. */
export function startMemoryApi(options: MemoryApiOptions = {}): MemoryApi {
  const clock = options.clock ?? systemClock;
  const backend = options.backend ?? new MemoryBackend();
  const cache = new WatchCache({ backend, clock, indexers });
  const store = new Store(backend, cache);
  const admission = [...createAdmissionSteps({ ...options, backend, cache }), ...(options.moreAdmission ?? [])];
  const signer = new TokenSigner({ privateKey: generatePrivateKey(), issuer: 'https://kubernetes.default.svc.cluster.local', clock });
  const verbs = new Verbs({
    store,
    clock,
    admission,
    indexers,
    registry: options.registry ?? kindRegistry,
    subresources: [...subresourceHandlers, serviceAccountToken(signer)],
    virtualResources: [...(options.virtualResources ?? virtualResources), tokenReview(new TokenAuthenticator({ signer, cache, clock }))],
    authorizers: createAuthorizers(boundPodsOf(cache)),
  });
  const stop = new AbortController();
  const running = cache.run(stop.signal);
  running.catch(() => undefined);
  return {
    verbs,
    store,
    backend,
    client: (user = administrator) => createClient(createLocalTransport(verbs, user, { clock })),
    stop: async () => {
      stop.abort();
      await running;
      await backend.close();
    },
  };
}
