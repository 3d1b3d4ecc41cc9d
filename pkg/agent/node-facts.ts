/** What this machine is: capacity, addresses, names of its parts. Reads files and asks the kernel; decides nothing but what is set aside. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, networkInterfaces, release } from 'node:os';
import type { DnsConfig } from './container-config.ts';
import { parseResolvConf } from './network/dns/resolv-conf.ts';

export interface MachineFacts {
  readonly hostname: string;
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Of the file system that holds `home`. */
  readonly diskBytes: number;
  readonly hostDns: DnsConfig;
}

export async function readMachineFacts(home: string): Promise<MachineFacts> {
  const [memory, disk, osRelease, machineId, bootId, systemUuid, resolv] = await Promise.all([
    memoryBytes(),
    statfs(home).catch(() => undefined),
    text('/etc/os-release'),
    text('/etc/machine-id'),
    text('/proc/sys/kernel/random/boot_id'),
    text('/sys/class/dmi/id/product_uuid'),
    text('/etc/resolv.conf'),
  ]);
  return {
    hostname: hostname().toLowerCase(),
    architecture: arch() === 'x64' ? 'amd64' : arch(),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(osRelease)?.[1] ?? 'Linux',
    machineId: machineId.trim(),
    systemUuid: systemUuid.trim() === '' ? machineId.trim() : systemUuid.trim(),
    bootId: bootId.trim(),
    cpus: availableParallelism(),
    memoryBytes: memory,
    diskBytes: disk === undefined ? 0 : disk.blocks * disk.bsize,
    hostDns: parseResolvConf(resolv),
  };
}

async function memoryBytes(): Promise<number> {
  const kilobytes = /^MemTotal:\s+(\d+) kB/m.exec(await text('/proc/meminfo'))?.[1];
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1024;
}

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Addresses of the machine by which others reach it, IPv4 first; loopback, link-local and the interfaces named are left out. */
export function machineAddresses(ignored: (name: string) => boolean): readonly string[] {
  const found = Object.entries(networkInterfaces())
    .filter(([name]) => !ignored(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('169.254.') && !address.toLowerCase().startsWith('fe80:'));
  return [...found.filter(({ family }) => family === 'IPv4'), ...found.filter(({ family }) => family === 'IPv6')].map(
    ({ address }) => address,
  );
}

export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pid: boolean;
}

/** Whether the machine runs short, by the kubelet's thresholds: 100 MiB of memory, a tenth of the disk, a tenth of process ids. */
export async function readPressure(home: string): Promise<Pressure> {
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(await text('/proc/meminfo'))?.[1];
  const disk = await statfs(home).catch(() => undefined);
  const [running, total] = (/ \d+\/(\d+) /.exec(await text('/proc/loadavg')) ?? [])
    .slice(1)
    .concat((await text('/proc/sys/kernel/pid_max')).trim());
  return {
    memory: available !== undefined && Number(available) * 1024 < 100 * 1024 * 1024,
    disk: disk !== undefined && disk.bavail < disk.blocks / 10,
    pid: running !== undefined && Number(total) > 0 && Number(running) > 0.9 * Number(total),
  };
}
