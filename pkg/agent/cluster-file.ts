/** What the node knows of its cluster, kept so that its network comes up after a restart while no server can be reached. */
import { readFile } from 'node:fs/promises';
import { codeOf } from '#base/errors';
import type { ClusterConfiguration } from '#rpc/generated/agent';
import { writeDurably } from './durable-file.ts';

/** Undefined when no server has ever said it. */
export async function readCluster(path: string): Promise<ClusterConfiguration | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<ClusterConfiguration>;
    const { dnsDomain, podCidr, serviceCidr, clusterCidr } = value;
    if (dnsDomain === undefined || podCidr === undefined || serviceCidr === undefined || clusterCidr === undefined) return undefined;
    return { dnsDomain, podCidr, serviceCidr, clusterCidr };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || (error as { name?: unknown }).name === 'SyntaxError') return undefined;
    throw error;
  }
}

export async function writeCluster(path: string, cluster: ClusterConfiguration): Promise<void> {
  await writeDurably(path, JSON.stringify(cluster), 0o600);
}
