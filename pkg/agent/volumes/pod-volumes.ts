/**
 * All volumes of one pod: set up, brought up to date, mounted into containers, taken down. Invariant: taking down never deletes through a mount:
 * what cannot be unmounted stays, and the error says so.
 */
import type { Stats } from 'node:fs';
import { chmod, chown, mkdir, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Container, Pod, Volume } from '#api/shapes/types/core-v1';
import { codeOf, messageOf } from '#base/errors';
import { type EnvironmentVariable, expand } from '../environment.ts';
import type { RuntimeMount } from '../runtime/runtime.ts';
import type { Mounter } from './mounter.ts';
import { type MountedVolume, type VolumeContext, VolumeError, type VolumePlugin } from './volume-plugin.ts';

/** Names a volume in the pod's folder. */
export function volumeDirectory(podDirectory: string, plugin: string, volume: string): string {
  return join(podDirectory, 'volumes', plugin, volume);
}

export interface PodVolumesOptions {
  readonly plugins: readonly VolumePlugin[];
  readonly podDirectory: string;
  readonly context: Omit<VolumeContext, 'directory'>;
}

/** By volume name. Throws `VolumeError` naming each volume that failed, once all have been tried: one that fails does not hold up the others. */
export async function setUpVolumes(options: PodVolumesOptions, only: 'all' | 'live' = 'all'): Promise<Map<string, MountedVolume>> {
  const result = new Map<string, MountedVolume>();
  const failures: string[] = [];
  for (const volume of options.context.pod.spec.volumes ?? []) {
    const plugin = pluginOf(volume, options.plugins);
    if (only === 'live' && !plugin.live) continue;
    const directory = volumeDirectory(options.podDirectory, plugin.name, volume.name);
    await mkdir(dirname(directory), { recursive: true });
    try {
      result.set(volume.name, await plugin.setUp(volume, { ...options.context, directory }));
    } catch (error) {
      failures.push(`MountVolume.SetUp failed for volume "${volume.name}" : ${messageOf(error)}`);
    }
  }
  if (failures.length > 0) throw new VolumeError(failures.join('; '));
  return result;
}

function pluginOf(volume: Volume, plugins: readonly VolumePlugin[]): VolumePlugin {
  const found = plugins.find((plugin) => volume[plugin.name] !== undefined);
  if (found !== undefined) return found;
  const type = Object.keys(volume).find((key) => key !== 'name');
  // A volume that names no type is an empty one.
  const fallback = type === undefined ? plugins.find((plugin) => plugin.name === 'emptyDir') : undefined;
  if (fallback !== undefined) return fallback;
  throw new VolumeError(
    `volume "${volume.name}" has type ${type}, which this node cannot mount (it can: ${plugins.map(({ name }) => name).join(', ')})`,
  );
}

/** What a container mounts of its pod's volumes. Throws `VolumeError`. */
export async function containerMounts(
  pod: Pod,
  container: Container,
  volumes: ReadonlyMap<string, MountedVolume>,
  environment: readonly EnvironmentVariable[],
): Promise<RuntimeMount[]> {
  const mounts: RuntimeMount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = volumes.get(mount.name);
    if (volume === undefined)
      throw new VolumeError(`container "${container.name}" mounts volume "${mount.name}", which pod ${pod.metadata.name} does not have`);
    const subPath =
      mount.subPathExpr !== undefined && mount.subPathExpr !== ''
        ? expand(mount.subPathExpr, new Map(environment.map(({ name, value }) => [name, value])))
        : (mount.subPath ?? '');
    mounts.push({
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: subPath === '' ? volume.hostPath : await subPathOf(volume, subPath, mount.name),
      readOnly: volume.readOnly || mount.readOnly === true,
      propagation:
        mount.mountPropagation === 'Bidirectional' || mount.mountPropagation === 'HostToContainer' ? mount.mountPropagation : 'None',
    });
  }
  return mounts;
}

/** A path inside a volume, made as a folder when nothing is there; links that lead out of the volume are refused. */
async function subPathOf(volume: MountedVolume, subPath: string, name: string): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) {
    throw new VolumeError(`subPath "${subPath}" of volume "${name}" must be relative and may not contain ".."`);
  }
  const path = join(volume.hostPath, subPath);
  const root = await realpath(volume.hostPath);
  const inside = (real: string): boolean => real === root || real.startsWith(`${root}/`);
  try {
    const real = await realpath(path);
    if (!inside(real)) throw new VolumeError(`subPath "${subPath}" of volume "${name}" leads out of the volume`);
    return real;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  if (volume.readOnly) throw new VolumeError(`subPath "${subPath}" is not in volume "${name}", which is read-only`);
  let parent = dirname(path);
  while (!(await exists(parent))) parent = dirname(parent);
  if (!inside(await realpath(parent))) throw new VolumeError(`subPath "${subPath}" of volume "${name}" leads out of the volume`);
  await makeLike(await stat(root), root, path);
  return path;
}

/** Folders below the volume belong to whom the volume belongs to, so that whoever may write it may write them. */
async function makeLike(volume: Stats, root: string, path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path; at !== root && !(await exists(at)); at = dirname(at)) missing.unshift(at);
  for (const directory of missing) {
    await mkdir(directory);
    if (volume.gid !== 0) await chown(directory, -1, volume.gid);
    await chmod(directory, volume.mode & 0o7777);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Unmounts what is below the pod's folder and removes it; of a missing folder: nothing. Throws when a mount is still in use. */
export async function removePodDirectory(podDirectory: string, mounter: Mounter): Promise<void> {
  await unmountBelow(podDirectory, mounter);
  await rm(podDirectory, { recursive: true, force: true });
}

/** Unmounts the pod's volumes and removes their folders, but nothing else of the pod. */
export async function takeDownVolumes(podDirectory: string, mounter: Mounter): Promise<void> {
  const directory = join(podDirectory, 'volumes');
  await unmountBelow(directory, mounter);
  await rm(directory, { recursive: true, force: true });
}

async function unmountBelow(directory: string, mounter: Mounter): Promise<void> {
  for (const point of await mounter.mountsBelow(directory)) await mounter.unmount(point);
}
