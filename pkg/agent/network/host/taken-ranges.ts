/** Whether others on this machine have the addresses that a cluster is to use: two bridges with one range would both lose packets, in silence. */
import { parseRange } from '../ranges.ts';
import { runProgram } from './run-program.ts';

export interface TakenRange {
  readonly range: string;
  /** Of the interface that has it. */
  readonly device: string;
  /** What it has: an address of the range, or a route to (a part of) it. */
  readonly what: string;
}

/** Throws an error that names the interface and what to do, unless the ranges are free or `bridge`'s own. */
export async function refuseTakenRanges(ranges: readonly string[], bridge: string): Promise<void> {
  const [addresses, routes] = await Promise.all([
    runProgram('ip', ['-4', '-o', 'address', 'show']),
    runProgram('ip', ['-4', 'route', 'show', 'table', 'main']),
  ]);
  const taken = findTakenRange(ranges, bridge, addresses, routes);
  if (taken === undefined) return;
  throw new Error(
    `the addresses ${taken.range} are in use on this machine: ${taken.device} has ${taken.what}. Is it of another Berth, running or left behind ` +
      '(`berth down --purge` with its $BERTH_HOME removes it)? Otherwise start the server with other ranges: --cluster-cidr and --service-cidr',
  );
}

/** Pure; takes what `ip -4 -o address show` and `ip -4 route show` print. A wider route, as to a company's 10.0.0.0/8, is none of it. */
export function findTakenRange(ranges: readonly string[], bridge: string, addresses: string, routes: string): TakenRange | undefined {
  for (const range of ranges) {
    const { contains, length } = parseRange(range);
    for (const [, device = '', address = ''] of addresses.matchAll(/^\d+: (\S+)\s+inet (\d+\.\d+\.\d+\.\d+)/gm)) {
      if (device !== bridge && contains(address)) return { range, device, what: `the address ${address}` };
    }
    for (const [, target = '', width = '32', device = ''] of routes.matchAll(
      /^(?:\w+ )?(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))? .*?\bdev (\S+)/gm,
    )) {
      if (device !== bridge && Number(width) >= length && contains(target)) return { range, device, what: `a route to ${target}/${width}` };
    }
  }
  return undefined;
}
