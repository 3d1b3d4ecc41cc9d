/**
 * Where things stand in the store. Objects: `/berth/<group>/<plural>/<namespace>/<name>`, without the namespace for a
 * cluster-scoped one, with `core` for the core group. Everything else of Berth's: `/berth/_/…` (no API group can be called `_`).
 */
import type { StatusDetails } from '#base/errors';

/** Everything that Berth keeps begins with this. */
export const rootPrefix = '/berth/';
/** Keys that are no objects: reservations, barriers, the store's own records. */
export const internalPrefix = '/berth/_/';

/** Names a resource across versions, as `groupResourceOf` does; every `ResourceType` is one. */
export interface GroupResource {
  /** `''` for the core group. */
  readonly group: string;
  readonly plural: string;
}

export interface ObjectName {
  /** Absent for a cluster-scoped object. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** A key that is no object's: `internalKey('clusterIPs', '10.96.0.1')`. Parts may hold any characters. */
export function internalKey(...parts: readonly string[]): string {
  return internalPrefix + parts.map(encodePart).join('/');
}

/** The prefix of all objects of a resource, ending in `/`. */
export function resourcePrefix(resource: GroupResource): string {
  return `${rootPrefix}${resource.group === '' ? 'core' : resource.group}/${resource.plural}/`;
}

/** The key of one object in the store. */
export function objectKey(resource: GroupResource, name: ObjectName): string {
  return resourcePrefix(resource) + itemKey(name);
}

/** An object's key within its resource: `namespace/name`, or `name`. Lists are in the order of these, bytewise. */
export function itemKey({ namespace, name }: ObjectName): string {
  return namespace === undefined || namespace === '' ? encodePart(name) : `${encodePart(namespace)}/${encodePart(name)}`;
}

export interface ParsedKey {
  /** `<group>/<plural>` as it stands in the key: names the resource in maps. */
  readonly resource: string;
  /** The key within the resource. */
  readonly item: string;
}

/** Takes an object's key apart; undefined for internal keys and for what is not Berth's. */
export function parseObjectKey(key: string): ParsedKey | undefined {
  if (!key.startsWith(rootPrefix) || key.startsWith(internalPrefix)) return undefined;
  const groupEnd = key.indexOf('/', rootPrefix.length);
  const pluralEnd = groupEnd < 0 ? -1 : key.indexOf('/', groupEnd + 1);
  if (pluralEnd < 0 || pluralEnd === key.length - 1) return undefined;
  return { resource: key.slice(rootPrefix.length, pluralEnd), item: key.slice(pluralEnd + 1) };
}

/** `<group>/<plural>` as it stands in keys. */
export function resourceId(resource: GroupResource): string {
  return `${resource.group === '' ? 'core' : resource.group}/${resource.plural}`;
}

/** The name that an item key was made of. */
export function parseItemKey(item: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = item.indexOf('/');
  return slash < 0
    ? { namespace: undefined, name: decodePart(item) }
    : { namespace: decodePart(item.slice(0, slash)), name: decodePart(item.slice(slash + 1)) };
}

/** What a Status says about the object in `details`. */
export function detailsOf(resource: GroupResource, name: string): StatusDetails {
  return { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural };
}

const plain = /^[\x21-\x24\x26-\x2e\x30-\x7e]*$/;

/** Kubernetes' names never hold `/` or `%`, but some (of roles) may hold any other character: those go percent-encoded. */
function encodePart(part: string): string {
  return plain.test(part) ? part : part.replace(/[^\x21-\x24\x26-\x2e\x30-\x7e]/gu, (character) => encodeURIComponent(character));
}

function decodePart(part: string): string {
  return part.includes('%') ? decodeURIComponent(part) : part;
}
