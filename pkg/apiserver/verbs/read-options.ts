/** What `resourceVersion`, `resourceVersionMatch`, `limit`, `continue` and `sendInitialEvents` ask for together, by Kubernetes' rules. */
import { FieldErrors } from '#api/field-errors';
import { StatusError } from '#base/errors';
import type { ListOptions, WatchOptions } from '#client/transport';
import type { ListPoint } from '#storage/resource-cache';
import { type Continuation, decodeContinue } from './continue-token.ts';

const optionsType = { group: 'meta.k8s.io', kind: 'ListOptions' };

export interface ListPlan {
  readonly at: ListPoint;
  /** Given when this list goes on from an earlier page. */
  readonly continuation: Continuation | undefined;
}

const matchField = 'resourceVersionMatch';

/** Throws `StatusError` Invalid for combinations that make no sense, BadRequest for malformed values. */
export function planList(options: ListOptions): ListPlan {
  const { resourceVersionMatch: match, resourceVersion = '' } = options;
  const errors = new FieldErrors();
  if (match !== undefined) {
    if (resourceVersion === '') errors.forbidden(matchField, 'resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (options.continue !== undefined) errors.forbidden(matchField, 'resourceVersionMatch is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') errors.notSupported(matchField, match, ['Exact', 'NotOlderThan', '']);
    if (match === 'Exact' && resourceVersion === '0') {
      errors.forbidden(matchField, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (options.sendInitialEvents !== undefined) errors.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  errors.throwIfAny(optionsType, '');
  if (options.continue !== undefined) {
    if (resourceVersion !== '' && resourceVersion !== '0') {
      throw new StatusError('BadRequest', 'specifying resource version is not allowed when using continue');
    }
    const continuation = decodeContinue(options.continue);
    return { at: continuation.revision === undefined ? 'newest' : { exactly: continuation.revision }, continuation };
  }
  const revision = parseRevision(resourceVersion);
  if (revision === undefined) return { at: 'newest', continuation: undefined };
  if (revision === 0) return { at: 'any', continuation: undefined };
  const exact = match === 'Exact' || (match === undefined && (options.limit ?? 0) > 0);
  return { at: exact ? { exactly: revision } : { notOlderThan: revision }, continuation: undefined };
}

export interface WatchPlan {
  /** Changes after this revision; undefined: the present objects first. */
  readonly after: number | undefined | 'now';
  /** A revision that must exist; 0 for none. */
  readonly notOlderThan: number;
  /** Whether the end of the initial events is marked by a bookmark. */
  readonly markInitialEnd: boolean;
}

/** Throws `StatusError` Invalid for combinations that make no sense, BadRequest for malformed values. */
export function planWatch(options: WatchOptions): WatchPlan {
  const { resourceVersionMatch: match, sendInitialEvents } = options;
  const errors = new FieldErrors();
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.forbidden(matchField, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (match !== undefined) {
    if (sendInitialEvents === undefined) {
      errors.forbidden(matchField, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    }
    if (match !== 'NotOlderThan') errors.notSupported(matchField, match, ['NotOlderThan']);
    if (options.continue !== undefined) errors.forbidden(matchField, 'resourceVersionMatch is forbidden when continue is provided');
  }
  errors.throwIfAny(optionsType, '');
  const revision = parseRevision(options.resourceVersion ?? '');
  if (sendInitialEvents === true) {
    return { after: undefined, notOlderThan: revision ?? 0, markInitialEnd: options.allowWatchBookmarks === true };
  }
  if (revision !== undefined && revision > 0) return { after: revision, notOlderThan: 0, markInitialEnd: false };
  return { after: sendInitialEvents === false ? 'now' : undefined, notOlderThan: 0, markInitialEnd: false };
}

/** A resourceVersion as a revision of the store; undefined for none. Throws BadRequest. */
export function parseRevision(text: string): number | undefined {
  if (text === '') return undefined;
  const revision = Number(text);
  const fault = !/^\d+$/.test(text) ? 'invalid syntax' : Number.isSafeInteger(revision) ? undefined : 'value out of range';
  if (fault !== undefined) {
    const quoted = JSON.stringify(text);
    throw new StatusError('BadRequest', `resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: ${fault}`);
  }
  return revision;
}
