/** The rules for `metadata`, the same for all kinds (apimachinery `api/validation`). */
import type { FieldErrors } from './field-errors.ts';
import type { NameRule } from './kind.ts';
import { checkDns1123Label, checkLabelValue, checkQualifiedName } from './names.ts';
import type { ObjectMeta, OwnerReference } from './object.ts';

const maximumAnnotationBytes = 256 * 1024;
const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

export interface MetaRules {
  readonly namespaced: boolean;
  readonly nameRule: NameRule;
}

export function validateObjectMeta(meta: ObjectMeta, rules: MetaRules, errors: FieldErrors, path = 'metadata'): void {
  const name = meta.name ?? '';
  const prefix = meta.generateName ?? '';
  // A generated name is the prefix with letters after it: the prefix may end in a dash.
  if (prefix !== '') for (const fault of rules.nameRule(prefix.replace(/-$/, 'a'))) errors.invalid(`${path}.generateName`, prefix, fault);
  if (name === '') {
    if (prefix === '') errors.required(`${path}.name`, 'name or generateName is required');
  } else {
    for (const fault of rules.nameRule(name)) errors.invalid(`${path}.name`, name, fault);
  }
  const namespace = meta.namespace ?? '';
  if (!rules.namespaced) {
    if (namespace !== '') errors.forbidden(`${path}.namespace`, 'not allowed on this type');
  } else if (namespace === '') {
    errors.required(`${path}.namespace`);
  } else {
    for (const fault of checkDns1123Label(namespace)) errors.invalid(`${path}.namespace`, namespace, fault);
  }
  if ((meta.generation ?? 0) < 0) errors.invalid(`${path}.generation`, meta.generation, 'must be greater than or equal to 0');
  validateLabels(meta.labels, `${path}.labels`, errors);
  validateAnnotations(meta.annotations, `${path}.annotations`, errors);
  validateOwnerReferences(meta.ownerReferences ?? [], `${path}.ownerReferences`, errors);
  for (const finalizer of meta.finalizers ?? []) validateFinalizer(finalizer, `${path}.finalizers`, errors);
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string, errors: FieldErrors): void {
  if (labels === undefined) return;
  for (const [key, value] of Object.entries(labels)) {
    for (const fault of checkQualifiedName(key)) errors.invalid(path, key, fault);
    for (const fault of checkLabelValue(value)) errors.invalid(path, value, fault);
  }
}

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string, errors: FieldErrors): void {
  if (annotations === undefined) return;
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    for (const fault of checkQualifiedName(key.toLowerCase())) errors.invalid(path, key, fault);
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > maximumAnnotationBytes) errors.tooLong(path, maximumAnnotationBytes);
}

function validateOwnerReferences(references: readonly OwnerReference[], path: string, errors: FieldErrors): void {
  let controller: string | undefined;
  for (const [index, reference] of references.entries()) {
    const at = `${path}[${index}]`;
    if (!/^(?:[^/]+\/)?[^/]+$/.test(reference.apiVersion))
      errors.invalid(`${at}.apiVersion`, reference.apiVersion, 'version must not be empty');
    if (reference.kind === '') errors.invalid(`${at}.kind`, reference.kind, 'must not be empty');
    if (reference.name === '') errors.invalid(`${at}.name`, reference.name, 'must not be empty');
    if (reference.uid === '') errors.invalid(`${at}.uid`, reference.uid, 'must not be empty');
    if (reference.controller !== true) continue;
    if (controller === undefined) {
      controller = reference.name;
    } else {
      const found = `Found "true" in references for ${controller} and ${reference.name}`;
      errors.invalid(path, references, `Only one reference can have Controller set to true. ${found}`);
      // Its message holds all references: once is enough.
      return;
    }
  }
}

export function validateFinalizer(finalizer: string, path: string, errors: FieldErrors): void {
  const faults = checkQualifiedName(finalizer);
  for (const fault of faults) errors.invalid(path, finalizer, fault);
  if (faults.length === 0 && !finalizer.includes('/') && !standardFinalizers.has(finalizer)) {
    errors.invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified');
  }
}

const immutableFields = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

export function validateObjectMetaUpdate(meta: ObjectMeta, old: ObjectMeta, errors: FieldErrors, path = 'metadata'): void {
  for (const field of immutableFields) {
    if (meta[field] !== old[field]) errors.invalid(`${path}.${field}`, meta[field] ?? null, 'field is immutable');
  }
  if ((meta.generation ?? 0) < (old.generation ?? 0)) errors.invalid(`${path}.generation`, meta.generation ?? 0, 'must not be decremented');
  if (old.deletionTimestamp !== undefined) {
    const held = new Set(old.finalizers);
    const added = (meta.finalizers ?? []).filter((finalizer) => !held.has(finalizer));
    if (added.length > 0) {
      const list = added.map((one) => JSON.stringify(one)).join(', ');
      errors.forbidden(
        `${path}.finalizers`,
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
      );
    }
  }
}

/** Adds a fault for a field that may not change after creation. */
export function requireUnchanged(isEqual: boolean, field: string, value: unknown, errors: FieldErrors): void {
  if (!isEqual) errors.invalid(field, value, 'field is immutable');
}
