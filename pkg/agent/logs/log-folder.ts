import type { PodIdentity } from '../runtime/runtime.ts';

/** What a file system takes as one name. */
const longestName = 255;

/** The folder of a pod's logs, as tools look for it: `namespace_name_uid`. Of a name that is too long for that, only the beginning. */
export function logFolderOf({ namespace, name, uid }: PodIdentity): string {
  return `${namespace}_${name.slice(0, longestName - namespace.length - uid.length - 2)}_${uid}`;
}
