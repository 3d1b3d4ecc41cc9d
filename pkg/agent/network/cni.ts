/**
 * What the runtime's CNI plugins are told about this node: one bridge, addresses from the node's pod range. Masquerading outwards and host
 * ports are not CNI's here but our own rules' (services/), so that no iptables chains are made and all that matters can be swapped at once.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CniNetwork {
  /** Names the results that plugins keep; unique on the machine. */
  readonly name: string;
  readonly bridge: string;
  readonly podCidr: string;
  readonly mtu: number;
  /** Where host-local keeps which addresses are taken. */
  readonly dataFolder: string;
}

/** CNI's list of plugins, as JSON. */
export function renderCniConfiguration(network: CniNetwork): string {
  const configuration = {
    cniVersion: '0.4.0',
    name: network.name,
    plugins: [
      {
        type: 'bridge',
        bridge: network.bridge,
        isGateway: true,
        hairpinMode: true,
        mtu: network.mtu,
        ipam: {
          type: 'host-local',
          dataDir: network.dataFolder,
          ranges: [[{ subnet: network.podCidr }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}

/** Writes it where the runtime looks (`folder`), whole or not at all. */
export function writeCniConfiguration(folder: string, network: CniNetwork): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, '10-berth.conflist');
  const temporary = join(folder, '.10-berth.conflist.new');
  writeFileSync(temporary, renderCniConfiguration(network));
  renameSync(temporary, path);
}
