/** Takes Berth's own containerd away, with all that it runs: the end that `--down` and tests need. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#base/clock';
import { codeOf, messageOf } from '#base/errors';
import { type Logger, silentLogger } from '#base/logging';
import { call, openChannel } from '../cri/channel.ts';
import { Containerd } from './containerd.ts';
import { containerdLayout } from './layout.ts';

export interface RemoveContainerdOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly clock: Clock;
  readonly log?: Logger;
}

const callDeadline = 60_000;
const endTimeout = 5_000;

/**
 * Removes every sandbox (which releases its network), ends containerd and whatever is left of its shims, unmounts and deletes its folder.
 * One that does not run is started once more, because it alone can release networks in order; when it cannot, the rest is removed all the same.
 * Idempotent. Pods' cgroups and the bridge are not its own: the agent and the network remove those.
 */
export async function removeContainerd(options: RemoveContainerdOptions): Promise<void> {
  const { home, clock } = options;
  const log = options.log ?? silentLogger;
  const layout = containerdLayout(home);
  const containerd = new Containerd({ home, clock, log });
  if (existsSync(layout.configuration)) {
    try {
      if (!containerd.isRunning()) await containerd.start(AbortSignal.timeout(callDeadline));
      await removeSandboxes(layout.endpoint);
    } catch (error) {
      log.warn('sandboxes could not be removed in order', { reason: messageOf(error) });
    }
  }
  await containerd.stop();
  await endShims(layout.socket, clock);
  for (const mount of mountsUnder(layout.folder)) execFileSync('umount', ['--lazy', mount]);
  rmSync(layout.folder, { recursive: true, force: true });
  if (!layout.socket.startsWith(layout.folder)) rmSync(dirname(layout.socket), { recursive: true, force: true });
}

/** All of them, whoever's label they carry: this containerd is Berth's alone. */
async function removeSandboxes(endpoint: string): Promise<void> {
  const channel = openChannel(endpoint);
  const { runtime } = channel;
  const limits = { deadline: callDeadline };
  try {
    const { items } = await call(runtime.listPodSandbox.bind(runtime), { filter: undefined }, limits);
    for (const { id } of items) {
      await call(runtime.stopPodSandbox.bind(runtime), { podSandboxId: id }, limits);
      await call(runtime.removePodSandbox.bind(runtime), { podSandboxId: id }, limits);
    }
  } finally {
    channel.close();
  }
}

/** Ends the shims that were started for this containerd (their command line names its socket), and with them their containers. */
async function endShims(socket: string, clock: Clock): Promise<void> {
  const shims = (): number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const words = commandLineOf(pid);
        return words.some((word) => word.includes('containerd-shim')) && words.includes(socket);
      })
      .map(Number);
  const deadline = clock.monotonic() + endTimeout;
  for (let left = shims(); left.length > 0 && clock.monotonic() < deadline; left = shims()) {
    for (const pid of left) {
      for (const child of descendantsOf(pid)) kill(child);
      kill(pid);
    }
    await clock.sleep(50);
  }
}

function commandLineOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function descendantsOf(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch {
    return [];
  }
  return children
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)
    .flatMap((child) => [...descendantsOf(child), child]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** Deepest first. */
function mountsUnder(folder: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) =>
      (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((path) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length);
}
