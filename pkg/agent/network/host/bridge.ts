/** The node's bridge, to which CNI connects every pod; made before the first pod, because the DNS server listens on its address. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { runProgram } from './run-program.ts';

export interface Bridge {
  readonly name: string;
  /** With the length of the range: `10.42.0.1/24`. */
  readonly address: string;
  readonly mtu: number;
}

/** Idempotent: one that is there keeps its ports; other addresses of it are taken away. */
export async function ensureBridge(bridge: Bridge): Promise<void> {
  const { name, address, mtu } = bridge;
  if (!interfaceExists(name)) {
    // A bridge without an address of its own takes its lowest port's, and changes it as pods come and go.
    await runProgram('ip', ['link', 'add', name, 'address', hardwareAddress(address), 'mtu', String(mtu), 'type', 'bridge']);
  }
  const assigned = await runProgram('ip', ['-4', '-o', 'address', 'show', 'dev', name]);
  const others = [...assigned.matchAll(/inet (\S+)/g)].map((match) => match[1] ?? '').filter((other) => other !== address);
  for (const other of others) await runProgram('ip', ['address', 'delete', other, 'dev', name]);
  await runProgram('ip', ['address', 'replace', address, 'dev', name]);
  await runProgram('ip', ['link', 'set', name, 'up']);
}

export async function removeBridge(name: string): Promise<void> {
  if (interfaceExists(name)) await runProgram('ip', ['link', 'delete', name]);
}

/** Locally administered, the same at each start. */
function hardwareAddress(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  return [0x0a, ...digest.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** /proc shows the network namespace of who looks; /sys that of who mounted it. */
export function interfaceExists(name: string): boolean {
  return existsSync(`/proc/sys/net/ipv4/conf/${name}`);
}

/** That of the interface with the default route, so that pods' packets fit outwards; 1500 where there is none. */
export async function outwardMtu(): Promise<number> {
  const device = defaultRouteDevice(readFileSync('/proc/net/route', 'utf8'));
  if (device === undefined) return 1_500;
  const described = await runProgram('ip', ['-o', 'link', 'show', 'dev', device]);
  return Number(/ mtu (\d+)/.exec(described)?.[1] ?? 1_500);
}

/** `routes` is in the form of /proc/net/route. */
export function defaultRouteDevice(routes: string): string | undefined {
  return routes
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .find((fields) => fields[1] === '00000000' && fields[7] === '00000000')?.[0];
}
