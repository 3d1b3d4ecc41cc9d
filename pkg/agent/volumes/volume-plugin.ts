/**
 * One sort of volume. A plugin makes a volume's content stand at a path of the host, as often as it is asked to: setting up what is set up
 * already brings it up to date and disturbs nothing that uses it. What it mounts or writes below `directory` is taken down by the registry, which
 * knows all mounts; a plugin need not.
 */
import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Volume } from '#api/shapes/types/core-v1';
import type { Mounter } from './mounter.ts';

export interface VolumeContext {
  readonly pod: Pod;
  /** The volume's own folder below the pod's; it need not exist yet. */
  readonly directory: string;
  /** `$BERTH_HOME/volumes`: what outlives pods. */
  readonly persistentDirectory: string;
  readonly objects: AssignedObjects;
  readonly mounter: Mounter;
  /** What `downwardAPI` items show. */
  readonly podAddresses: readonly string[];
  readonly hostAddresses: readonly string[];
  readonly allocatable: Readonly<Record<string, string>>;
}

/** What the node was assigned besides pods, of the pod's namespace. */
export interface AssignedObjects {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  claim(name: string): PersistentVolumeClaim | undefined;
  persistentVolume(name: string): PersistentVolume | undefined;
}

export interface MountedVolume {
  /** What containers mount. */
  readonly hostPath: string;
  readonly readOnly: boolean;
}

export interface VolumePlugin {
  /** The field of a volume that names it: `emptyDir`, `configMap`, … */
  readonly name: keyof Volume;
  /** Whether the content follows objects that may change while the pod runs. */
  readonly live: boolean;
  /** Throws `VolumeError`. */
  setUp(volume: Volume, context: VolumeContext): Promise<MountedVolume>;
}

/** Says what is wrong with one volume, in words for the pod's event. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}
