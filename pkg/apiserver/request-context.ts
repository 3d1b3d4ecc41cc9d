/** Who asks, and what surrounds one request; every verb takes it, whichever face the request came through. */

export interface UserInfo {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface RequestContext {
  readonly user: UserInfo;
  /** Aborted when the caller has gone or its deadline has passed; what waits then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Takes one warning for the caller (a `Warning` header over HTTP): the request goes on. */
  warn(text: string): void;
}

/** The group that may everything, whatever the authorizer says otherwise. */
export const mastersGroup = 'system:masters';
/** The group of everyone who has shown who they are. */
export const authenticatedGroup = 'system:authenticated';
/** Who has shown nothing; only to be impersonated, for nobody is served without credentials. */
export const anonymousUser = 'system:anonymous';
export const unauthenticatedGroup = 'system:unauthenticated';
export const nodesGroup = 'system:nodes';
/** Of all service accounts; with `:` and a namespace, of those of that namespace. */
export const serviceAccountsGroup = 'system:serviceaccounts';
/** A node's user name is this and the node's name. */
export const nodeUserPrefix = 'system:node:';
