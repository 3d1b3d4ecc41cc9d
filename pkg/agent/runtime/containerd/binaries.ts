import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian and others put the programs that a node needs; the PATH of a service is often poorer than a login's. */
const programFolders: readonly string[] = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const pluginFolders: readonly string[] = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];

/** A PATH with which containerd finds its shim and runc. */
export function searchPath(path: string | undefined = process.env.PATH): string {
  const given = (path ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set([...given, ...programFolders])].join(delimiter);
}

export function findProgram(name: string, path: string = searchPath()): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export interface ContainerdBinaries {
  readonly containerd: string;
  readonly ctr: string;
  readonly runc: string;
  /** Folder of the CNI plugins. */
  readonly cniPlugins: string;
}

/** All that is needed to run containers; throws one error that names everything that is missing and how to get it. */
export function findContainerdBinaries(): ContainerdBinaries {
  const containerd = findProgram('containerd');
  const ctr = findProgram('ctr');
  const runc = findProgram('runc');
  const shim = findProgram('containerd-shim-runc-v2');
  const cniPlugins = pluginFolders.find((folder) => ['bridge', 'host-local', 'loopback'].every((name) => isExecutable(join(folder, name))));
  if (containerd !== undefined && ctr !== undefined && runc !== undefined && shim !== undefined && cniPlugins !== undefined) {
    return { containerd, ctr, runc, cniPlugins };
  }
  const missing = [
    containerd === undefined && 'containerd',
    ctr === undefined && 'ctr',
    shim === undefined && 'containerd-shim-runc-v2',
    runc === undefined && 'runc',
    cniPlugins === undefined && `the CNI plugins bridge, host-local and loopback (looked in ${pluginFolders.join(', ')})`,
  ].filter((name) => name !== false);
  throw new Error(
    `cannot run containers: not found: ${missing.join('; ')}. On Debian: apt-get install containerd runc containernetworking-plugins`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
