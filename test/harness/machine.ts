/** What Berth may change on a machine, as one comparable picture: to see that it leaves nothing. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './commands.ts';

export interface MachinePicture {
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly networkNamespaces: readonly string[];
  readonly nftables: readonly string[];
  readonly iptables: readonly string[];
  readonly cgroups: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
  readonly routes: readonly string[];
  readonly processes: readonly string[];
}

const settings = [
  'net.ipv4.ip_forward',
  'net.ipv4.conf.all.route_localnet',
  'net.ipv4.conf.lo.route_localnet',
  'net.ipv4.conf.default.route_localnet',
  'net.bridge.bridge-nf-call-iptables',
  'net.bridge.bridge-nf-call-ip6tables',
];

/** Of processes: those that name this `$BERTH_HOME` in their arguments or environment. */
export async function pictureMachine(home: string): Promise<MachinePicture> {
  const lines = async (command: string, ...args: string[]): Promise<string[]> =>
    (await runCommand(command, args)).stdout.split('\n').filter((line) => line !== '');
  return {
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      // Other clusters of tests come and go; what is this one's lies in its home.
      .filter((path) => path.startsWith(home) || !(path.includes('/containerd/state/') || path.startsWith(join(tmpdir(), 'berth-'))))
      .toSorted(),
    links: (await lines('ip', '-o', 'link')).map((line) => line.split(': ')[1]?.replace(/@.*/, '') ?? '').toSorted(),
    networkNamespaces: existsSync('/run/netns') ? readdirSync('/run/netns').toSorted() : [],
    nftables: await lines('nft', 'list', 'tables'),
    iptables: (await lines('iptables-save')).filter((line) => !line.startsWith('#')).map((line) => line.replace(/\[\d+:\d+\]/, '')),
    cgroups: findDirectories('/sys/fs/cgroup', 'kubepods'),
    settings: Object.fromEntries(settings.map((name) => [name, readSetting(name)])),
    routes: await lines('ip', 'route'),
    processes: processesOf(home),
  };
}

function processesOf(home: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const [args, environment] = ['cmdline', 'environ'].map((file) => readFileSync(join('/proc', pid, file), 'utf8').split('\0'));
      const inside = args!.some((word) => word.includes(home)) || environment!.includes(`BERTH_HOME=${home}`);
      if (inside) found.push(args!.join(' ').trim());
    } catch {
      // It has ended meanwhile.
    }
  }
  return found.toSorted();
}

function readSetting(name: string): string {
  const path = join('/proc/sys', name.replaceAll('.', '/'));
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'absent';
}

function findDirectories(root: string, name: string): string[] {
  if (!existsSync(root)) return [];
  const found: string[] = [];
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(root, entry.name);
    if (entry.name === name || readdirSync(path).includes(name)) found.push(path);
  }
  return found.toSorted();
}
