import jsonpatch, { type Operation } from 'fast-json-patch';
import { messageOf, StatusError } from '#base/errors';
import { isJsonObject, type JsonValue } from './json-value.ts';
import { malformedPatch, unprocessablePatch } from './patch-errors.ts';

/** Kubernetes' bound on the operations of one patch. */
export const maximumOperations = 10_000;
/** Kubernetes' bound on what the `copy` operations of one patch may copy together, in bytes of JSON. */
export const maximumCopiedBytes = 3 * 1024 * 1024;

const names = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);

/**
 * JSON patch, RFC 6902. The target is not changed. Throws BadRequest for a malformed patch, RequestEntityTooLarge past a bound, and Invalid
 * when an operation cannot be applied (a path that is not there, a `test` that fails).
 */
export function applyJsonPatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!Array.isArray(patch)) throw malformedPatch('a JSON patch must be a list of operations');
  if (patch.length > maximumOperations) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `Request entity is too large: The allowed maximum operations in a JSON patch is ${maximumOperations}, got ${patch.length}`,
    );
  }
  const operations = patch.map((operation: JsonValue, index) => asOperation(operation, index));
  let document: unknown = structuredClone(target);
  let copied = 0;
  for (const [index, operation] of operations.entries()) {
    try {
      if (operation.op === 'copy') {
        copied += JSON.stringify(jsonpatch.getValueByPointer(document, operation.from) ?? null).length;
        if (copied > maximumCopiedBytes) {
          throw new StatusError(
            'RequestEntityTooLarge',
            `Request entity is too large: the copy operations of a JSON patch may copy at most ${maximumCopiedBytes} bytes`,
          );
        }
      }
      document = jsonpatch.applyOperation(document, operation, true, true, true, index).newDocument;
    } catch (error) {
      if (error instanceof StatusError) throw error;
      throw unprocessablePatch(describe(operation, error), operation.path);
    }
  }
  return document as JsonValue;
}

function asOperation(operation: JsonValue, index: number): Operation {
  if (!isJsonObject(operation)) throw malformedPatch(`JSON patch operation ${index}: must be an object`);
  const { op, path } = operation;
  if (typeof op !== 'string' || !names.has(op)) {
    throw malformedPatch(`JSON patch operation ${index}: op must be one of add, remove, replace, move, copy, test`);
  }
  if (typeof path !== 'string') throw malformedPatch(`JSON patch operation ${index}: path must be a string`);
  if ((op === 'move' || op === 'copy') && typeof operation.from !== 'string') {
    throw malformedPatch(`JSON patch operation ${index}: ${op} needs from, a string`);
  }
  if ((op === 'add' || op === 'replace' || op === 'test') && operation.value === undefined) {
    throw malformedPatch(`JSON patch operation ${index}: ${op} needs a value`);
  }
  return operation as unknown as Operation;
}

function describe(operation: Operation, error: unknown): string {
  if (operation.op === 'test') return `testing path ${operation.path} failed`;
  const [first] = messageOf(error).split('\n');
  return `${operation.op} operation does not apply: ${first}`;
}
