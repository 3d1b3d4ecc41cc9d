/**
 * Whom a service account's token is for, as long as it holds: signed by the cluster, in its time, for this audience, and its account (and the pod, secret or
 * node that it is bound to) still there with the same uid. Signatures are checked once; what must still exist is looked up at every use, in memory.
 */
import type { ResourceType } from '#api/object';
import { nodes, pods, secrets, serviceAccounts } from '#api/shapes/resources';
import type { Clock } from '#base/clock';
import type { CachedObject } from '#storage/cached-object';
import type { WatchCache } from '#storage/watch-cache';
import { authenticatedGroup, serviceAccountsGroup, type UserInfo } from '../request-context.ts';
import { refused, type TokenClaims, type TokenSigner } from './token-signer.ts';

export interface TokenAuthenticatorOptions {
  readonly signer: TokenSigner;
  readonly cache: WatchCache;
  readonly clock: Clock;
}

export interface TokenIdentity {
  readonly user: UserInfo;
  /** Those asked for that the token is for. */
  readonly audiences: readonly string[];
}

/** How many tokens are remembered to be signed well. */
const remembered = 4096;
/** How long what is being deleted still serves its tokens, milliseconds: a pod that ends may need the API to do so. */
const grace = 60_000;

const prefix = 'authentication.kubernetes.io';
/** Among what is told of a user: which of its credentials it has shown. */
export const credentialId = `${prefix}/credential-id`;

export class TokenAuthenticator {
  readonly #options: TokenAuthenticatorOptions;
  /** Read tokens, the least recently read first. */
  readonly #read = new Map<string, TokenClaims>();

  constructor(options: TokenAuthenticatorOptions) {
    this.#options = options;
  }

  /** `audiences`: the API's own unless given. Throws `Unauthorized` with the reason, which is not for who showed the token. */
  async authenticate(token: string, audiences: readonly string[] = [this.#options.signer.issuer]): Promise<TokenIdentity> {
    const claims = this.#claims(token);
    this.#options.signer.checkTime(claims);
    const meant = audiences.filter((audience) => claims.aud.includes(audience));
    if (meant.length === 0)
      throw refused(`the token is for the audiences ${JSON.stringify(claims.aud)}, not for ${JSON.stringify(audiences)}`);
    const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io'];
    await this.#mustExist(serviceAccounts, namespace, serviceaccount);
    if (pod !== undefined) await this.#mustExist(pods, namespace, pod);
    if (secret !== undefined) await this.#mustExist(secrets, namespace, secret);
    // Of a pod, the node is only told.
    if (pod === undefined && node !== undefined) await this.#mustExist(nodes, undefined, node);
    return { user: userOf(claims), audiences: meant };
  }

  #claims(token: string): TokenClaims {
    const known = this.#read.get(token);
    const claims = known ?? this.#options.signer.read(token);
    this.#read.delete(token);
    this.#read.set(token, claims);
    if (this.#read.size > remembered) this.#read.delete(this.#read.keys().next().value ?? '');
    return claims;
  }

  async #mustExist(
    resource: ResourceType,
    namespace: string | undefined,
    { name = '', uid }: { readonly name?: string; readonly uid?: string },
  ): Promise<void> {
    const all = this.#options.cache.resource(resource);
    const target = namespace === undefined ? { name } : { namespace, name };
    const holds = (found: CachedObject | undefined): boolean => {
      if (found === undefined || found.object.metadata.uid !== uid) return false;
      const { deletionTimestamp } = found.object.metadata;
      return deletionTimestamp === undefined || Date.parse(deletionTimestamp) + grace > this.#options.clock.now();
    };
    // What is not there in memory may be so new that it was not seen yet.
    if (holds(all.peek(target)) || holds(await all.get(target))) return;
    throw refused(`the ${resource.kind} ${JSON.stringify(name)} that the token is bound to is gone`);
  }
}

function userOf({ sub, jti, 'kubernetes.io': { namespace, serviceaccount, pod, node } }: TokenClaims): UserInfo {
  const told = { 'pod-name': pod?.name, 'pod-uid': pod?.uid, 'node-name': node?.name, 'node-uid': node?.uid };
  return {
    name: sub,
    uid: serviceaccount.uid,
    groups: [serviceAccountsGroup, `${serviceAccountsGroup}:${namespace}`, authenticatedGroup],
    extra: {
      [credentialId]: [`JTI=${jti}`],
      ...Object.fromEntries(Object.entries(told).flatMap(([key, value]) => (value === undefined ? [] : [[`${prefix}/${key}`, [value]]]))),
    },
  };
}
