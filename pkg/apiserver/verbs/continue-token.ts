/** Where a list that was cut by its limit goes on: opaque to clients, bound to no server. */
import { StatusError } from '#base/errors';

export interface Continuation {
  /** The revision that the pages before showed; undefined: go on in the present state, whatever changed in between. */
  readonly revision: number | undefined;
  /** The key, within the resource, at which the next page starts. */
  readonly start: string;
}

export function encodeContinue({ revision, start }: Continuation): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision ?? -1, start })).toString('base64url');
}

/** Throws BadRequest for what is no token of ours. */
export function decodeContinue(token: string): Continuation {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidToken('it was not made by this server');
  const { v, rv, start } = value as Record<string, unknown>;
  if (v !== 'meta.k8s.io/v1') throw invalidToken(`server does not recognize this encoded version ${String(v)}`);
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0) {
    throw invalidToken('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  }
  if (typeof start !== 'string' || start === '') throw invalidToken('encoded start key empty (version meta.k8s.io/v1)');
  if (start.length > 1024) throw invalidToken('its start key is too long');
  return { revision: rv < 0 ? undefined : rv, start };
}

function invalidToken(why: string): StatusError {
  return new StatusError('BadRequest', `invalid continue token: continue key is not valid: ${why}`);
}

/** 410 for a continuation whose revision is no longer known; its own token lets the client go on in the present state. */
export function expiredContinue(start: string, cause: unknown): StatusError {
  return new StatusError(
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, ' +
      'or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an ' +
      'inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    { continueToken: encodeContinue({ revision: undefined, start }), cause },
  );
}
