/** Mounts on the host. Paths are absolute. */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Mounter {
  /** A tmpfs at `path`, which is made; nothing when one is there already. `sizeBytes` 0: half of the memory. */
  tmpfs(path: string, options: { readonly sizeBytes: number; readonly mode: number }): Promise<void>;
  unmount(path: string): Promise<void>;
  /** Mount points at and below `path`, deepest first. */
  mountsBelow(path: string): Promise<readonly string[]>;
}

export const hostMounter: Mounter = {
  async tmpfs(path, { sizeBytes, mode }) {
    await mkdir(path, { recursive: true });
    if ((await mountPoints()).includes(path)) return;
    const size = sizeBytes > 0 ? `,size=${sizeBytes}` : '';
    await run('mount', ['-t', 'tmpfs', '-o', `nosuid,nodev,mode=${mode.toString(8)}${size}`, 'berth', path]);
  },
  async unmount(path) {
    await run('umount', [path]);
  },
  async mountsBelow(path) {
    const found = (await mountPoints()).filter((point) => point === path || point.startsWith(`${path}/`));
    return found.toSorted((a, b) => b.length - a.length);
  },
};

/** For agents with no right to mount (tests, simulated nodes): a tmpfs is a plain folder. */
export const plainMounter: Mounter = {
  async tmpfs(path) {
    await mkdir(path, { recursive: true });
  },
  unmount: async () => undefined,
  mountsBelow: async () => [],
};

async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}
