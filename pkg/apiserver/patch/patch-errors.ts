import { StatusError } from '#base/errors';

/**
 * A patch that is well-formed but cannot be applied to this object: 422, with Kubernetes' own general message; what
 * exactly did not fit stands in the cause, which kubectl prints.
 */
export function unprocessablePatch(message: string, field?: string): StatusError {
  return new StatusError('Invalid', 'the server rejected our request due to an error in our request', {
    details: { causes: [{ reason: 'FieldValueInvalid', message, ...(field === undefined ? {} : { field }) }] },
  });
}

/** A patch whose form is wrong, whatever the object: 400. */
export function malformedPatch(message: string): StatusError {
  return new StatusError('BadRequest', message);
}
