/**
 * Whether a user may do a thing. An authorizer knows one reason to allow; what none allows is refused. It never denies what
 * another allows. RBAC will be one more in the list (index.ts).
 */
import { groupResourceOf } from '#api/object';
import { StatusError } from '#base/errors';
import type { UserInfo } from '../request-context.ts';

/** An action on resources; `verb` is one of the API's, or what stands in a subject access review. */
export interface ResourceAction {
  readonly user: UserInfo;
  readonly verb: string;
  readonly group: string;
  readonly version?: string;
  /** The plural. */
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Of a list, a watch or a deletecollection: as the user gave it. */
  readonly fieldSelector?: string;
}

/** An action on a path that is no resource: discovery, health, metrics. */
export interface PathAction {
  readonly user: UserInfo;
  /** The HTTP method in lower case. */
  readonly verb: string;
  readonly path: string;
}

export type Action = ResourceAction | PathAction;

export type Decision = { readonly allowed: true; readonly reason: string } | { readonly allowed: false };

/** What a user may do, as `kubectl auth can-i --list` shows it. */
export interface Rules {
  readonly resourceRules: readonly {
    readonly verbs: readonly string[];
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
  }[];
  readonly nonResourceRules: readonly { readonly verbs: readonly string[]; readonly nonResourceURLs: readonly string[] }[];
}

/** Gives the reason for which it allows the action, or undefined where it has no opinion. */
export interface Authorizer {
  readonly name: string;
  authorize(action: Action): string | undefined | Promise<string | undefined>;
  /** All that it allows the user; undefined: nothing. `untold`: something that depends on more than rules can say. */
  rules(user: UserInfo): Rules | 'untold' | undefined;
}

/** Asks the authorizers in order; the first that allows decides. */
export async function decide(authorizers: readonly Authorizer[], action: Action): Promise<Decision> {
  for (const authorizer of authorizers) {
    const opinion = authorizer.authorize(action);
    const reason = typeof opinion === 'object' ? await opinion : opinion;
    if (reason !== undefined) return { allowed: true, reason };
  }
  return { allowed: false };
}

/** Throws Forbidden, in Kubernetes' words, unless an authorizer allows the action. What is known at once is not waited for. */
export function mustBeAllowed(authorizers: readonly Authorizer[], action: Action): Promise<void> | undefined {
  for (const [index, authorizer] of authorizers.entries()) {
    const opinion = authorizer.authorize(action);
    if (typeof opinion === 'object') return mustBeAllowedAfter(opinion, authorizers.slice(index + 1), action);
    if (opinion !== undefined) return undefined;
  }
  throw forbiddenAction(action);
}

async function mustBeAllowedAfter(opinion: Promise<string | undefined>, others: readonly Authorizer[], action: Action): Promise<void> {
  if ((await opinion) === undefined) await mustBeAllowed(others, action);
}

export function isResourceAction(action: Action): action is ResourceAction {
  return 'resource' in action;
}

/** The 403 for an action that nobody allows. */
export function forbiddenAction(action: Action): StatusError {
  const user = JSON.stringify(action.user.name);
  if (!isResourceAction(action)) {
    return new StatusError('Forbidden', `forbidden: User ${user} cannot ${action.verb} path ${JSON.stringify(action.path)}`, {
      details: {},
    });
  }
  const what = groupResourceOf({ group: action.group, plural: action.resource });
  const named = action.name === undefined ? what : `${what} ${JSON.stringify(action.name)}`;
  const resource = action.subresource === undefined ? action.resource : `${action.resource}/${action.subresource}`;
  const where = action.namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(action.namespace)}`;
  return new StatusError(
    'Forbidden',
    `${named} is forbidden: User ${user} cannot ${action.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(action.group)} ${where}`,
    {
      details: {
        ...(action.name === undefined ? {} : { name: action.name }),
        ...(action.group === '' ? {} : { group: action.group }),
        kind: action.resource,
      },
    },
  );
}
