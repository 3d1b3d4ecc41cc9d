/** The files that config maps, secrets and the downward API give to a volume. Pure. */
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret } from '#api/shapes/types/core-v1';
import { fieldValue, resourceValue } from '../environment.ts';
import { allContainersOf } from '../pod.ts';
import { type VolumeContext, VolumeError } from './volume-plugin.ts';

export interface PayloadFile {
  readonly content: Uint8Array;
  readonly mode: number;
}

/** By path relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

export interface KeySelection {
  readonly items: readonly KeyToPath[] | undefined;
  readonly defaultMode: number;
  readonly optional: boolean;
  /** For messages: `configmap "x"`. */
  readonly what: string;
}

export function configMapPayload(object: ConfigMap | undefined, selection: KeySelection): Payload {
  if (object === undefined) return absent(selection);
  const data = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(object.data ?? {})) data.set(key, Buffer.from(value, 'utf8'));
  for (const [key, value] of Object.entries(object.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return select(data, selection);
}

export function secretPayload(object: Secret | undefined, selection: KeySelection): Payload {
  if (object === undefined) return absent(selection);
  return select(new Map(Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')])), selection);
}

export function downwardPayload(items: readonly DownwardAPIVolumeFile[] | undefined, defaultMode: number, context: VolumeContext): Payload {
  return new Map(
    (items ?? []).map(({ path, mode, fieldRef, resourceFieldRef }) => {
      let text = '';
      if (fieldRef !== undefined) text = fieldValue(fieldRef.fieldPath, context.pod, context);
      if (resourceFieldRef !== undefined) {
        const container = allContainersOf(context.pod).find(({ name }) => name === resourceFieldRef.containerName);
        if (container === undefined)
          throw new VolumeError(`container "${resourceFieldRef.containerName}" of downwardAPI item "${path}" not found`);
        text = resourceValue(resourceFieldRef.resource, resourceFieldRef.divisor, container, context.allocatable);
      }
      return [safePath(path), { content: Buffer.from(text, 'utf8'), mode: mode ?? defaultMode }];
    }),
  );
}

function absent({ optional, what }: KeySelection): Payload {
  if (optional) return new Map();
  throw new VolumeError(`${what} not found`);
}

function select(data: ReadonlyMap<string, Uint8Array>, { items, defaultMode, optional, what }: KeySelection): Payload {
  if (items === undefined || items.length === 0)
    return new Map([...data].map(([key, content]) => [safePath(key), { content, mode: defaultMode }]));
  const files = new Map<string, PayloadFile>();
  for (const { key, path, mode } of items) {
    const content = data.get(key);
    if (content === undefined) {
      if (optional) continue;
      throw new VolumeError(`${what} has no key "${key}"`);
    }
    files.set(safePath(path), { content, mode: mode ?? defaultMode });
  }
  return files;
}

function safePath(path: string): string {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts[0]?.startsWith('..')) {
    throw new VolumeError(`the path "${path}" must be relative and may not have or begin with ".."`);
  }
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}
