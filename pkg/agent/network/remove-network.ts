/** Takes a node's network away: the end that `--down` and tests need. Sandboxes must be gone, or they lose their network. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '#base/errors';
import { findProgram } from '../runtime/containerd/binaries.ts';
import { removeBridge } from './host/bridge.ts';
import { closeHostFirewall } from './host/host-firewall.ts';
import { restoreKernelSettings } from './host/kernel-settings.ts';
import { networkLayout } from './network-layout.ts';
import { runNft } from './services/nft.ts';

/** Where CNI's library keeps what its plugins answered; nobody can tell it another place. */
const cniResults = '/var/lib/cni/results';

/**
 * Rules, bridge, marks in another's firewall, CNI's results and the folder under `home`; kernel settings are put back. Idempotent, and needs
 * nothing but `home`.
 */
export async function removeNetwork(home: string): Promise<void> {
  const layout = networkLayout(home);
  if (findProgram('nft') !== undefined) await runNft(`add table ip ${layout.table}\ndelete table ip ${layout.table}\n`);
  await closeHostFirewall(layout.firewallMark);
  await removeBridge(layout.bridge);
  restoreKernelSettings(layout.kernelSettings);
  for (const name of entriesOf(cniResults)) if (isResultOf(layout.cniNetwork, name)) rmSync(join(cniResults, name), { force: true });
  rmSync(layout.folder, { recursive: true, force: true });
}

/** Results are named by network, sandbox and interface; one network's name may begin another's. */
function isResultOf(network: string, name: string): boolean {
  return name.startsWith(`${network}-`) && /^[0-9a-f]{64}-/.test(name.slice(network.length + 1));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
