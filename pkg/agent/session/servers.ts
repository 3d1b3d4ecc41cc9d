/** Where the node's servers are, so that an agent is started again with no flags. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../durable-file.ts';

export async function readServers(directory: string): Promise<readonly string[]> {
  const text = await readFile(join(directory, 'servers'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

export async function writeServers(directory: string, servers: readonly string[]): Promise<void> {
  if ((await readServers(directory)).join() === servers.join()) return;
  await writeDurably(join(directory, 'servers'), `${servers.join('\n')}\n`, 0o600);
}
