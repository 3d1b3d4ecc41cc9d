import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Names and files of one agent's network, all derived from its `$BERTH_HOME`, so that two agents on a machine do not share any. */
export interface NetworkLayout {
  readonly folder: string;
  readonly bridge: string;
  /** Of nftables. */
  readonly table: string;
  /** Of CNI; names the results that its plugins keep. */
  readonly cniNetwork: string;
  /** Which addresses pods have. */
  readonly addresses: string;
  readonly kernelSettings: string;
  /** Marks our rules in another's firewall. */
  readonly firewallMark: string;
}

const defaultHome = '/var/lib/berth';

export function networkLayout(home: string): NetworkLayout {
  const absolute = resolve(home);
  const folder = join(absolute, 'network');
  const suffix = createHash('sha256').update(absolute).digest('hex').slice(0, 8);
  const plain = absolute === defaultHome;
  return {
    folder,
    // An interface's name has at most 15 characters.
    bridge: plain ? 'cni-berth0' : `cni-b${suffix}`,
    table: plain ? 'berth' : `berth_${suffix}`,
    cniNetwork: plain ? 'berth' : `berth-${suffix}`,
    addresses: join(folder, 'addresses'),
    kernelSettings: join(folder, 'kernel-settings.json'),
    firewallMark: plain ? 'berth' : `berth-${suffix}`,
  };
}
