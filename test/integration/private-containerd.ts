/** A containerd of its own for one test file, with a network of its own and an image with busybox, all gone at the end. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCniConfiguration } from '#agent/network/cni';
import { interfaceExists } from '#agent/network/host/bridge';
import { findContainerdBinaries } from '#agent/runtime/containerd/binaries';
import { Containerd } from '#agent/runtime/containerd/containerd';
import { removeContainerd } from '#agent/runtime/containerd/remove';
import { loadImage } from '#agent/runtime/images/load-image';
import { plainCgroupParent } from '#agent/runtime/plain-configs';
import { systemClock } from '#base/clock';
import { messageOf } from '#base/errors';
import { silentLogger } from '#base/logging';
import { buildDemoImage, findStaticBusybox } from '../../hack/demo-image.ts';
import { eventually } from '../harness/commands.ts';

export const busyboxImage = 'berth.local/busybox:1';

/** Why real containers cannot run here; undefined: they can. */
export function whyNoContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    findContainerdBinaries();
  } catch (error) {
    return messageOf(error);
  }
  if (findStaticBusybox() === undefined) return 'needs a static busybox (Debian: busybox-static)';
  return undefined;
}

export interface PrivateContainerd {
  readonly home: string;
  readonly containerd: Containerd;
  /** The name of its bridge. */
  readonly bridge: string;
  close(): Promise<void>;
}

/** `thirdOctet` keeps test files that run at the same time apart: 10.211.N.0/24. */
export async function startPrivateContainerd(thirdOctet: number): Promise<PrivateContainerd> {
  const home = mkdtempSync(join(tmpdir(), 'berth-containerd-'));
  const bridge = `bt${process.pid}`;
  const containerd = new Containerd({ home, clock: systemClock, log: silentLogger });
  writeCniConfiguration(containerd.layout.cniConfiguration, {
    name: `berth-test-${process.pid}`,
    bridge,
    podCidr: `10.211.${thirdOctet}.0/24`,
    mtu: 1_400,
    dataFolder: join(home, 'addresses'),
  });
  const close = async (): Promise<void> => {
    await removeContainerd({ home, clock: systemClock });
    if (interfaceExists(bridge)) execFileSync('ip', ['link', 'delete', bridge]);
    await removeCgroups(plainCgroupParent);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await containerd.start(AbortSignal.timeout(60_000));
    await loadImage({ socket: containerd.layout.socket, archive: await buildDemoImage(busyboxImage) });
  } catch (error) {
    await close();
    throw error;
  }
  return { home, containerd, bridge, close };
}

/** Of all hierarchies. Runtimes never remove cgroups; one whose last process is just ending is busy for a moment. */
export async function removeCgroups(name: string, mountPoint = '/sys/fs/cgroup'): Promise<void> {
  for (const root of ['', ...readdirSync(mountPoint)]) {
    const path = join(mountPoint, root, name);
    await eventually(`${path} is removed`, async () => {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) removeTree(path);
      return true;
    });
  }
}

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}
