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
  const { v, rv, start } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const sound = v === 'meta.k8s.io/v1' && typeof start === 'string' && start.length <= 1024 && Number.isSafeInteger(rv) && rv !== 0;
  if (!sound) throw new StatusError('BadRequest', 'continue key is not valid: start a new list without the continue parameter');
  return { revision: (rv as number) < 0 ? undefined : (rv as number), start };
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
