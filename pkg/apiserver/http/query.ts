/**
 * Query parameters as Kubernetes reads them (apimachinery `conversion/queryparams`): a flag is true unless it says
 * `false` or `0`, the first of several values counts, unknown parameters are let pass.
 */
import { type StatusCause, StatusError } from '#base/errors';
import type { DeleteOptions, FieldValidation, ListOptions, WatchOptions, WriteOptions } from '#client/transport';

export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null) return false;
  return value !== '0' && value.toLowerCase() !== 'false';
}

/** A whole number, or undefined when the parameter is absent or empty. Throws `BadRequest`. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  const number = Number(value);
  if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new StatusError('BadRequest', `query parameter ${name}: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  return number;
}

function text(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value === null || value === '' ? undefined : value;
}

export function parseListOptions(query: URLSearchParams): ListOptions {
  const limit = integer(query, 'limit');
  return defined({
    labelSelector: text(query, 'labelSelector'),
    fieldSelector: text(query, 'fieldSelector'),
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    continue: text(query, 'continue'),
    resourceVersion: text(query, 'resourceVersion'),
    resourceVersionMatch: text(query, 'resourceVersionMatch'),
    sendInitialEvents: query.has('sendInitialEvents') ? flag(query, 'sendInitialEvents') : undefined,
  });
}

export function parseWatchOptions(query: URLSearchParams): WatchOptions {
  const timeout = integer(query, 'timeoutSeconds');
  return defined({
    labelSelector: text(query, 'labelSelector'),
    fieldSelector: text(query, 'fieldSelector'),
    resourceVersion: text(query, 'resourceVersion'),
    resourceVersionMatch: text(query, 'resourceVersionMatch'),
    sendInitialEvents: query.has('sendInitialEvents') ? flag(query, 'sendInitialEvents') : undefined,
    continue: text(query, 'continue'),
    allowWatchBookmarks: flag(query, 'allowWatchBookmarks'),
    timeoutSeconds: timeout !== undefined && timeout > 0 ? timeout : undefined,
  });
}

/**
 * `kind` is the options' kind in error messages: `CreateOptions`, `UpdateOptions`, `PatchOptions`. `force` is for server-side apply alone, which this
 * server has not: it is refused.
 */
export function parseWriteOptions(query: URLSearchParams, kind: string): WriteOptions {
  if (query.size === 0) return { fieldValidation: 'Warn' };
  const causes: StatusCause[] = [];
  const dryRun = parseDryRun(query.getAll('dryRun'), causes);
  const fieldManager = text(query, 'fieldManager');
  if (fieldManager !== undefined && fieldManager.length > 128) {
    causes.push({ reason: 'FieldValueTooLong', field: 'fieldManager', message: 'Too long: may not be more than 128 bytes' });
  }
  const fieldValidation = text(query, 'fieldValidation');
  if (fieldValidation !== undefined && !isFieldValidation(fieldValidation)) {
    causes.push(unsupported('fieldValidation', fieldValidation, ['Ignore', 'Warn', 'Strict']));
  }
  if (kind === 'PatchOptions' && query.has('force')) {
    causes.push({ reason: 'FieldValueForbidden', field: 'force', message: 'Forbidden: may not be specified for non-apply patch' });
  }
  if (causes.length > 0) throw invalidOptions(kind, causes);
  return defined({
    dryRun: dryRun || undefined,
    fieldManager,
    fieldValidation: fieldValidation !== undefined && isFieldValidation(fieldValidation) ? fieldValidation : 'Warn',
  });
}

/** Options of a deletion: from the body where there is one, else from the query. Throws `BadRequest` and `Invalid`. */
export function parseDeleteOptions(query: URLSearchParams, body: object | undefined): DeleteOptions {
  const causes: StatusCause[] = [];
  const given = (body ?? {}) as Record<string, unknown>;
  const kind = given.kind;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw new StatusError('BadRequest', `the body of a delete must be DeleteOptions, but its kind is ${JSON.stringify(kind)}`);
  }
  const grace = given.gracePeriodSeconds ?? integer(query, 'gracePeriodSeconds');
  if (grace !== undefined && (typeof grace !== 'number' || !Number.isSafeInteger(grace) || grace < 0)) {
    throw new StatusError('BadRequest', `gracePeriodSeconds must be a whole number of seconds, 0 or more, but is ${JSON.stringify(grace)}`);
  }
  let policy = given.propagationPolicy ?? text(query, 'propagationPolicy');
  if ((given.orphanDependents ?? query.get('orphanDependents')) != null) {
    if (policy !== undefined) {
      const message = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`;
      causes.push({ reason: 'FieldValueInvalid', field: 'propagationPolicy', message });
    }
    const orphan = typeof given.orphanDependents === 'boolean' ? given.orphanDependents : flag(query, 'orphanDependents');
    policy ??= orphan ? 'Orphan' : 'Background';
  }
  if (policy !== undefined && policy !== 'Orphan' && policy !== 'Background' && policy !== 'Foreground') {
    causes.push(unsupported('propagationPolicy', policy, ['Background', 'Foreground', 'Orphan']));
  }
  const dryRunValues = Array.isArray(given.dryRun) ? (given.dryRun as unknown[]) : query.getAll('dryRun');
  const dryRun = parseDryRun(dryRunValues, causes);
  if (causes.length > 0) throw invalidOptions('DeleteOptions', causes);
  const preconditions = given.preconditions;
  return defined({
    gracePeriodSeconds: grace,
    propagationPolicy: policy as DeleteOptions['propagationPolicy'],
    preconditions: preconditions == null ? undefined : parsePreconditions(preconditions),
    dryRun: dryRun || undefined,
  });
}

function parsePreconditions(value: unknown): { uid?: string; resourceVersion?: string } {
  const { uid, resourceVersion } = (typeof value === 'object' ? value : {}) as Record<string, unknown>;
  for (const [name, part] of Object.entries({ uid, resourceVersion })) {
    if (part != null && typeof part !== 'string') throw new StatusError('BadRequest', `preconditions.${name} must be a string`);
  }
  return defined({ uid: (uid ?? undefined) as string | undefined, resourceVersion: (resourceVersion ?? undefined) as string | undefined });
}

function parseDryRun(values: readonly unknown[], causes: StatusCause[]): boolean {
  const given = values.filter((value) => value !== '');
  for (const value of given) if (value !== 'All') causes.push(unsupported('dryRun', value, ['All']));
  return given.length > 0;
}

function isFieldValidation(value: string): value is FieldValidation {
  return value === 'Ignore' || value === 'Warn' || value === 'Strict';
}

function unsupported(field: string, value: unknown, supported: readonly string[]): StatusCause {
  const list = supported.map((word) => JSON.stringify(word)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
  };
}

function invalidOptions(kind: string, causes: readonly StatusCause[]): StatusError {
  const lines = causes.map((cause) => `${cause.field ?? ''}: ${cause.message ?? ''}`);
  const list = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  return new StatusError('Invalid', `${kind}.meta.k8s.io "" is invalid: ${list}`, { details: { group: 'meta.k8s.io', kind, causes } });
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
