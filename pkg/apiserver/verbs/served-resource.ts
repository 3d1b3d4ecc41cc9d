/**
 * A kind in one of its served versions: how its objects come in and go out. Everything between (defaults, admission, validation, the store) sees
 * the one stored form.
 */
import { parseFieldSelector } from '#api/field-selector';
import { deepFreeze } from '#api/freeze';
import type { AnyKind, Subresource } from '#api/kind';
import { apiVersionOf, type KubernetesObject, type ResourceType } from '#api/object';
import { checkSelectable, fromStored, type KindRegistry, matchesFields, type ServedKind, toStored } from '#api/registry';
import { type DecodeOptions, decodeObject } from '#api/schema/decode';
import { matchesSelector, parseSelector, type Selector } from '#api/selector';
import { StatusError } from '#base/errors';
import type { CachedObject } from '#storage/cached-object';
import { MadeObject, type ServedObject } from './answer.ts';

export class ServedResource {
  readonly served: ServedKind;
  readonly kind: AnyKind;
  /** As clients of this version name it. */
  readonly type: ResourceType;
  /** As the store, errors and admission know it. */
  readonly stored: ResourceType;
  readonly #isStoredForm: boolean;
  readonly #converted = new WeakMap<CachedObject, ServedObject>();

  constructor(served: ServedKind) {
    this.served = served;
    this.kind = served.kind;
    this.type = served.resource;
    const [first] = served.kind.versions;
    this.stored = { ...served.resource, group: served.kind.group, version: first.version };
    this.#isStoredForm = served.version.fromStored === undefined;
  }

  /** A fresh draft in the stored form. Throws `StatusError` BadRequest for what is no object of this kind and version. */
  decode(input: object, options: DecodeOptions): { readonly object: KubernetesObject; readonly warnings: readonly string[] } {
    const object = decodeAs(this.type, this.served.version.typeName, input, options);
    return { object: toStored(this.served, object.object), warnings: object.warnings };
  }

  /** What is written through a subresource: of the kind itself in its stored form, or of the subresource's own kind. */
  decodeFor(subresource: Subresource<KubernetesObject>, input: object, options: DecodeOptions): ReturnType<ServedResource['decode']> {
    if (subresource.kind.kind === this.type.kind) return this.decode(input, options);
    if (subresource.typeName === undefined) throw methodNotAllowed();
    return decodeAs(subresource.kind, subresource.typeName, input, options);
  }

  /** A stored object as clients of this version see it. */
  serve(cached: CachedObject): ServedObject {
    if (this.#isStoredForm) return cached;
    let made = this.#converted.get(cached);
    if (made === undefined) {
      made = new MadeObject(deepFreeze(fromStored(this.served, cached.object)));
      this.#converted.set(cached, made);
    }
    return made;
  }

  /** An object in the stored form that is not in the store (what a dry run made). */
  serveDraft(object: KubernetesObject): ServedObject {
    return new MadeObject(deepFreeze(fromStored(this.served, object)));
  }

  /** Throws NotFound for a subresource that there is not, MethodNotAllowed for one that has no such verb. */
  subresource(name: string, verb: string): Subresource<KubernetesObject> {
    const found = this.kind.subresources.find((one) => one.name === name);
    if (found === undefined) throw unknownResource();
    if (!found.verbs.includes(verb)) throw methodNotAllowed();
    return found;
  }

  /** Throws MethodNotAllowed for a verb that the kind does not have. */
  mustHave(verb: string): void {
    if (!this.kind.verbs.includes(verb)) throw methodNotAllowed();
  }

  /** What a client's selectors choose. Throws BadRequest for selectors that cannot be read, or name what one cannot select by. */
  selection(options: { readonly labelSelector?: string; readonly fieldSelector?: string }): Selection {
    const labels = parseSelector(options.labelSelector ?? '');
    const fields = parseFieldSelector(options.fieldSelector ?? '');
    checkSelectable(this.served, fields);
    if (labels.length === 0 && fields.length === 0) return { labels, fields, isEverything: true, matches: () => true };
    return {
      labels,
      fields,
      isEverything: false,
      matches: ({ object }) => matchesSelector(labels, object.metadata.labels) && matchesFields(this.served, fields, object),
    };
  }
}

export interface Selection {
  readonly labels: Selector;
  readonly fields: ReturnType<typeof parseFieldSelector>;
  readonly isEverything: boolean;
  readonly matches: (object: CachedObject) => boolean;
}

/** Every served kind, made ready for the verbs when it is first asked for. */
export class ServedResources {
  readonly registry: KindRegistry;
  readonly #ready = new Map<ServedKind, ServedResource>();

  constructor(registry: KindRegistry) {
    this.registry = registry;
  }

  find({ group, version, plural }: Pick<ResourceType, 'group' | 'version' | 'plural'>): ServedResource | undefined {
    const served = this.registry.find(group, version, plural);
    if (served === undefined) return undefined;
    let ready = this.#ready.get(served);
    if (ready === undefined) {
      ready = new ServedResource(served);
      this.#ready.set(served, ready);
    }
    return ready;
  }

  /** Throws NotFound, in Kubernetes' words, for a resource that is not served. */
  get(type: Pick<ResourceType, 'group' | 'version' | 'plural'>): ServedResource {
    const found = this.find(type);
    if (found === undefined) throw unknownResource();
    return found;
  }
}

/** A fresh copy of `input` as the named type, with its apiVersion and kind. Throws BadRequest for anything else. */
export function decodeAs(
  type: { readonly group: string; readonly version: string; readonly kind: string },
  typeName: string,
  input: object,
  options: DecodeOptions,
): { readonly object: KubernetesObject; readonly warnings: readonly string[] } {
  const { apiVersion, kind } = input as { apiVersion?: unknown; kind?: unknown };
  const expected = apiVersionOf(type);
  // What is no string at all is refused by the decoder, with its path.
  if (typeof apiVersion === 'string' && apiVersion !== '' && apiVersion !== expected) {
    throw new StatusError(
      'BadRequest',
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (typeof kind === 'string' && kind !== '' && kind !== type.kind) {
    throw new StatusError('BadRequest', `the kind in the data (${kind}) does not match the expected kind (${type.kind})`);
  }
  const { object, warnings } = decodeObject(typeName, input, options);
  object.apiVersion = expected;
  object.kind = type.kind;
  return { object, warnings };
}

export function unknownResource(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource');
}

export function methodNotAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
