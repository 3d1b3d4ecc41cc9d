import type { IncomingHttpHeaders } from 'node:http';
import { StatusError } from '#base/errors';
import { type Authorizer, mustBeAllowed } from '../authorization/authorizer.ts';
import { anonymousUser, authenticatedGroup, serviceAccountsGroup, type UserInfo, unauthenticatedGroup } from '../request-context.ts';

/** Whether any header says so: cheap, because it is asked of every request. */
export function asksToImpersonate(headers: IncomingHttpHeaders): boolean {
  for (const header in headers) if (header.startsWith('impersonate-')) return true;
  return false;
}

const extraPrefix = 'impersonate-extra-';

/**
 * The user in whose place this request is made (`kubectl --as`): the authenticated one unless the headers name another, for which
 * the authenticated one needs the verb `impersonate` on users, groups, uids and userextras. Throws `Forbidden` and `BadRequest`.
 */
export async function impersonate(user: UserInfo, headers: IncomingHttpHeaders, authorizers: readonly Authorizer[]): Promise<UserInfo> {
  const name = one(headers['impersonate-user']);
  const groups = several(headers['impersonate-group']);
  const uid = one(headers['impersonate-uid']);
  const extra: [string, string[]][] = Object.entries(headers)
    .filter(([header]) => header.startsWith(extraPrefix))
    .map(([header, value]) => [decodeURIComponent(header.slice(extraPrefix.length)), several(value)]);
  if (name === undefined) {
    if (groups.length === 0 && uid === undefined && extra.length === 0) return user;
    throw new StatusError(
      'BadRequest',
      `requested ${JSON.stringify({ groups, uid })} without impersonating a user: set Impersonate-User too`,
    );
  }
  const may = (group: string, resource: string, named: string, subresource?: string): Promise<void> | undefined =>
    mustBeAllowed(authorizers, {
      user,
      verb: 'impersonate',
      group,
      resource,
      name: named,
      ...(subresource === undefined ? {} : { subresource }),
    });
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (account === null) await may('', 'users', name);
  else
    await mustBeAllowed(authorizers, {
      user,
      verb: 'impersonate',
      group: '',
      resource: 'serviceaccounts',
      namespace: account[1]!,
      name: account[2]!,
    });
  for (const group of groups) await may('', 'groups', group);
  if (uid !== undefined) await may('authentication.k8s.io', 'uids', uid);
  for (const [key, values] of extra) for (const value of values) await may('authentication.k8s.io', 'userextras', value, key);
  return {
    name,
    groups: groupsOf(name, account?.[1], groups),
    ...(uid === undefined ? {} : { uid }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

/** Those that come with the name are only added where none were asked for. */
function groupsOf(name: string, namespace: string | undefined, asked: readonly string[]): string[] {
  if (name === anonymousUser) return asked.length > 0 ? [...asked] : [unauthenticatedGroup];
  const own = namespace === undefined || asked.length > 0 ? [] : [serviceAccountsGroup, `${serviceAccountsGroup}:${namespace}`];
  return [...new Set([...asked, ...own, ...(asked.includes(unauthenticatedGroup) ? [] : [authenticatedGroup])])];
}

function one(value: string | string[] | undefined): string | undefined {
  const first = Array.isArray(value) ? value[0] : value;
  return first === '' ? undefined : first;
}

/** Repeated headers arrive joined by commas over HTTP/1.1, and as a list or joined over HTTP/2. */
function several(value: string | string[] | undefined): string[] {
  if (value === undefined) return [];
  return [value]
    .flat()
    .flatMap((part) => part.split(',').map((entry) => entry.trim()))
    .filter((entry) => entry !== '');
}
