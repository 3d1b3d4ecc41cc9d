/**
 * All kinds by the names under which they are asked for, and the checks that every write of any kind goes through.
 */
import { defineKind } from './define-kind.ts';
import { FieldErrors } from './field-errors.ts';
import type { FieldSelector } from './field-selector.ts';
import { checkFieldSelector, matchesFieldSelector } from './field-selector.ts';
import type { AnyKind, KindVersion } from './kind.ts';
import type { KubernetesObject, ResourceType } from './object.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';
import { resourceTable } from './shapes/resource-table.ts';

/** A kind in one of its served versions. */
export interface ServedKind {
  readonly kind: AnyKind;
  readonly version: KindVersion;
  /** As clients name it; its group is the version's. */
  readonly resource: ResourceType;
}

export class KindRegistry {
  readonly kinds: readonly AnyKind[];
  readonly served: readonly ServedKind[];
  readonly #byResource = new Map<string, ServedKind>();
  readonly #byKind = new Map<string, ServedKind>();
  readonly #byName = new Map<string, ServedKind>();

  /** Earlier kinds win short names. Throws where two kinds have the same resource. */
  constructor(kinds: readonly AnyKind[]) {
    this.kinds = kinds;
    this.served = kinds.flatMap((kind) => kind.versions.map((version) => serve(kind, version)));
    for (const served of this.served) {
      const { group, version, plural, kind } = served.resource;
      const key = `${group}/${version}/${plural}`;
      if (this.#byResource.has(key)) throw new Error(`two kinds are served as ${key}`);
      this.#byResource.set(key, served);
      this.#byKind.set(`${group}/${version}/${kind}`, served);
      const { singular, shortNames } = served.kind.names;
      for (const name of [plural, singular, ...shortNames]) {
        const qualified = group === '' ? name : `${name}.${group}`;
        for (const alias of [name, qualified, `${name}.${version}.${group}`]) if (!this.#byName.has(alias)) this.#byName.set(alias, served);
      }
    }
  }

  find(group: string, version: string, plural: string): ServedKind | undefined {
    return this.#byResource.get(`${group}/${version}/${plural}`);
  }

  findKind(group: string, version: string, kind: string): ServedKind | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`);
  }

  /** By what a user writes: `po`, `pod`, `pods`, `deployments.apps`, `deployments.v1.apps`; upper case does not matter. */
  findName(name: string): ServedKind | undefined {
    return this.#byName.get(name.toLowerCase());
  }
}

function serve(kind: AnyKind, version: KindVersion): ServedKind {
  return {
    kind,
    version,
    resource: {
      group: version.group ?? kind.group,
      version: version.version,
      plural: kind.names.plural,
      kind: kind.kind,
      namespaced: kind.scope === 'Namespaced',
    },
  };
}

/**
 * The given definitions, and a generic one for every other stored kind of the resource table. A kind that is served in several groups is defined in one of
 * them and takes the others' places.
 */
export function completeKinds(written: readonly AnyKind[]): AnyKind[] {
  const taken = new Set(written.flatMap((kind) => kind.versions.map((version) => `${version.group ?? kind.group}/${kind.names.plural}`)));
  const generic: AnyKind[] = [];
  for (const { group, plural, kind, stored } of resourceTable) {
    if (!stored || taken.has(`${group}/${plural}`)) continue;
    taken.add(`${group}/${plural}`);
    generic.push(defineKind({ group, kind }));
  }
  return [...written, ...generic];
}

/** The object in the stored form, from the served one. */
export function toStored(served: ServedKind, object: KubernetesObject): KubernetesObject {
  return served.version.toStored?.(object) ?? object;
}

/** The object as this version serves it, from the stored form. */
export function fromStored(served: ServedKind, object: KubernetesObject): KubernetesObject {
  return served.version.fromStored?.(object) ?? object;
}

/**
 * Applies all rules for a new object, with those of the version that it came in. Throws StatusError Invalid. The name, if generated, must be there
 * already.
 */
export function validateNew(kind: AnyKind, object: KubernetesObject, version?: KindVersion): void {
  const errors = metadataFaults(kind, object);
  const found = [kind.validate?.(object), kind.validateCreate?.(object), version?.validate?.(object, undefined)];
  for (const more of found) if (more !== undefined) errors.addAll(more);
  errors.throwIfAny(kind, nameOf(object));
}

/** Applies all rules for a change of the main resource, by the new object alone and by the difference. Throws StatusError Invalid. */
export function validateChange(kind: AnyKind, object: KubernetesObject, old: KubernetesObject, version?: KindVersion): void {
  const errors = metadataFaults(kind, object);
  validateObjectMetaUpdate(object.metadata, old.metadata, errors);
  const found = [kind.validate?.(object), kind.validateUpdate?.(object, old)];
  if (kind.tellsChangeFirst === true) found.reverse();
  for (const more of [...found, version?.validate?.(object, old)]) if (more !== undefined) errors.addAll(more);
  errors.throwIfAny(kind, nameOf(object));
}

/** Applies the metadata's rules and the subresource's own to a write through a subresource. Throws StatusError Invalid. */
export function validateSubresourceChange(kind: AnyKind, subresource: string, object: KubernetesObject, old: KubernetesObject): void {
  const errors = new FieldErrors();
  validateObjectMetaUpdate(object.metadata, old.metadata, errors);
  const more = kind.subresources.find((one) => one.name === subresource)?.validate?.(object, old);
  if (more !== undefined) errors.addAll(more);
  errors.throwIfAny(kind, nameOf(object));
}

function metadataFaults(kind: AnyKind, object: KubernetesObject): FieldErrors {
  const errors = new FieldErrors();
  validateObjectMeta(object.metadata, { namespaced: kind.scope === 'Namespaced', nameRule: kind.nameRule }, errors);
  return errors;
}

function nameOf(object: KubernetesObject): string {
  return object.metadata.name ?? object.metadata.generateName ?? '';
}

/** Whether a stored object matches; its paths must have been checked by `checkSelectable`. */
export function matchesFields(served: ServedKind, selector: FieldSelector, object: KubernetesObject): boolean {
  if (selector.length === 0) return true;
  const fields = served.version.selectableFields ?? served.kind.selectableFields;
  return matchesFieldSelector(selector, (path) => {
    if (path === 'metadata.name') return object.metadata.name ?? '';
    if (path === 'metadata.namespace') return object.metadata.namespace ?? '';
    return String(fields[path]?.(object) ?? '');
  });
}

/** Throws StatusError BadRequest for a path by which objects of this kind cannot be selected. */
export function checkSelectable(served: ServedKind, selector: FieldSelector): void {
  const fields = Object.keys(served.version.selectableFields ?? served.kind.selectableFields);
  // As in Kubernetes, a kind without fields of its own lets the namespace be asked for even where it has none.
  const withNamespace = served.resource.namespaced || fields.length === 0;
  checkFieldSelector(selector, ['metadata.name', ...(withNamespace ? ['metadata.namespace'] : []), ...fields]);
}
