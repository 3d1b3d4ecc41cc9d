/**
 * A kind is what the shapes do not say: defaults, rules, columns, and how its objects are written, selected and deleted.
 * The verbs, tables, discovery and selectors know nothing but this definition, and name no kind.
 *
 * All functions are pure. Those that are given a draft may change it; everything else that they are given may be frozen.
 */
import type { FieldErrors } from './field-errors.ts';
import type { KubernetesObject } from './object.ts';

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A form in which the objects of a kind are served. */
export interface KindVersion<T extends KubernetesObject = KubernetesObject> {
  /** The kind's own unless given: Event is served in two groups. */
  readonly group?: string;
  readonly version: string;
  /** The type in the type table: `core.v1.Pod`. */
  readonly typeName: string;
  /** Both absent for the stored version itself. */
  toStored?(object: KubernetesObject): T;
  fromStored?(object: T): KubernetesObject;
  /** Rules of this version alone, for what is created or, given `old`, changed through it. They read the stored form. */
  validate?(object: T, old: T | undefined): FieldErrors;
  /** Instead of the kind's own, where this version's fields have other names. They read the stored form. */
  readonly selectableFields?: SelectableFields<T>;
}

/** Path of a field selector → its value. `metadata.name` and `metadata.namespace` come of themselves. */
export type SelectableFields<T extends KubernetesObject> = Readonly<Record<string, FieldReader<T>>>;

/** Written as a method's type, so that the definition of a kind is also one of any kind. */
type FieldReader<T> = { read(object: T): string | number | boolean | undefined }['read'];

export interface Column {
  /** `Name`, `Up-to-date`: kubectl makes it upper case. */
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority?: number;
}

/** Columns of a table, and one object's cells in their order. `now` is in milliseconds since 1970. */
export interface TableColumns<T extends KubernetesObject> {
  readonly columns: readonly Column[];
  cells(object: T, now: number): readonly unknown[];
}

/** Another way into an object: `status`, `scale`, `binding`, `log`. */
export interface Subresource<T extends KubernetesObject> {
  readonly name: string;
  /** The kind of what it takes and gives. */
  readonly kind: GroupVersionKind;
  /** The type of its bodies in the type table; undefined for streams. */
  readonly typeName: string | undefined;
  readonly verbs: readonly string[];
  /** How the object looks through it; absent: as itself. */
  read?(object: T): KubernetesObject;
  /**
   * The object after a write of `body` through it at `now` (milliseconds since 1970); shares with `old` what did not change. Throws StatusError.
   * Absent: it takes no writes.
   */
  write?(old: T, body: KubernetesObject, now: number): T;
  /** The rules for what `write` gave; absent: none beyond those of the metadata. */
  validate?(object: T, old: T): FieldErrors;
}

/** How objects of the kind go. Absent: at once, unless finalizers hold them. */
export interface DeletionStrategy<T extends KubernetesObject> {
  /**
   * Seconds that the object may still have, when `requested` was asked for. More than 0: it is marked with deletionTimestamp and stays until
   * someone deletes it with 0.
   */
  gracePeriod?(object: T, requested: number | undefined): number;
  /** Changes the draft when its deletion begins, beyond its metadata. */
  begin?(draft: T): void;
  /** Whether something beside metadata.finalizers holds the object. */
  isHeld?(object: T): boolean;
}

/** Checks a name; gives what is wrong with it. */
export type NameRule = (name: string) => string[];

export interface KindDefinition<T extends KubernetesObject = KubernetesObject> {
  readonly group: string;
  readonly kind: string;
  readonly names: {
    readonly plural: string;
    readonly singular: string;
    readonly shortNames: readonly string[];
    readonly categories: readonly string[];
  };
  readonly scope: 'Namespaced' | 'Cluster';
  /** The first is the stored form; the first of each group is preferred. */
  readonly versions: readonly [KindVersion<T>, ...KindVersion<T>[]];
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource<T>[];
  readonly nameRule: NameRule;
  /** Fills in what the user left out. Runs after decoding, before admission and validation; running it twice changes nothing. */
  defaults?(draft: T): void;
  /** Before an object is created: drops what its user may not say (the status). */
  beforeCreate?(draft: T): void;
  /** Before an object is replaced through its main resource: takes over from `old` what its user may not change (the status). */
  beforeUpdate?(draft: T, old: T): void;
  /** Rules for the object by itself. Those for its metadata are common. */
  validate?(object: T): FieldErrors;
  /** Rules for what is new. Those for the object by itself have been applied. */
  validateCreate?(object: T): FieldErrors;
  /** Rules for the change. Those for the object by itself have been applied. */
  validateUpdate?(object: T, old: T): FieldErrors;
  /** Whether the faults of a change are told before those of the object by itself. */
  readonly tellsChangeFirst?: boolean;
  /** What is accepted and does not do what one may expect; goes to the user as `Warning` headers. */
  warnings?(object: T, old: T | undefined): string[];
  /** Whether the change raises metadata.generation; absent: the kind has no generation. */
  changesGeneration?(object: T, old: T): boolean;
  readonly columns: TableColumns<T>;
  readonly selectableFields: SelectableFields<T>;
  readonly deletion?: DeletionStrategy<T>;
  /** What Berth does about its objects. */
  readonly support: 'acted on' | 'stored only';
  /** One line on it, for docs/compatibility.md. */
  readonly supportNote?: string;
  readonly description?: string;
}

/**
 * A definition whose own object type is forgotten, as registries hold it. The functions of a kind are only ever given objects of that kind: the registry's
 * keys see to it.
 */
export type AnyKind = KindDefinition;
