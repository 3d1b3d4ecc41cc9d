import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Where Berth's own containerd keeps what; all of it under `$BERTH_HOME`, but for a socket whose path would be too long. */
export interface ContainerdLayout {
  readonly folder: string;
  readonly configuration: string;
  readonly root: string;
  readonly state: string;
  readonly log: string;
  readonly process: string;
  /** Files that say from where and how registries are reached (`hosts.toml`), read at each pull. */
  readonly registries: string;
  /** Where it looks for the network's CNI configuration; the network writes there. */
  readonly cniConfiguration: string;
  readonly socket: string;
  /** For the CRI driver. */
  readonly endpoint: string;
}

/** A socket's path has at most 107 bytes, and containerd appends `.ttrpc` to its own. */
const longestSocket = 107 - '.ttrpc'.length;

export function containerdLayout(home: string): ContainerdLayout {
  const folder = join(resolve(home), 'containerd');
  const near = join(folder, 'containerd.sock');
  const short = join('/run', `berth-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`, 'containerd.sock');
  const socket = Buffer.byteLength(near) <= longestSocket ? near : short;
  return {
    folder,
    configuration: join(folder, 'config.toml'),
    root: join(folder, 'root'),
    state: join(folder, 'state'),
    log: join(folder, 'containerd.log'),
    process: join(folder, 'process.json'),
    registries: join(folder, 'registries'),
    cniConfiguration: join(folder, 'cni'),
    socket,
    endpoint: `unix://${socket}`,
  };
}
