/**
 * Removes what belongs to no pod of this node: sandboxes, containers, folders, mounts, logs, cgroups that were left by a crash or by pods that
 * are no longer assigned. Invariant: it touches only what carries this agent's label or lies in its own folders, and nothing of a pod that has a worker.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { NodeContext } from './node-context.ts';
import type { PodWorkers } from './pod-workers.ts';
import { removePodDirectory } from './volumes/pod-volumes.ts';

export interface CollectorOptions {
  readonly node: NodeContext;
  readonly workers: PodWorkers;
  /** The folder of all pods' folders. */
  readonly podsDirectory: string;
  /** The folder of all pods' logs, one folder each, ending in `_<uid>`. */
  readonly logsDirectory: string;
  /** Whether the node knows what it should have: before, all would look like nobody's. */
  readonly ready: () => boolean;
}

/** At start, and then so often, milliseconds: what workers leave is little. */
const interval = 300_000;

export function createCollector(options: CollectorOptions): Runnable {
  return {
    name: 'collector',
    async run(signal) {
      await Promise.race([options.node.view.synced, aborted(signal)]);
      while (!signal.aborted) {
        if (options.ready()) await collect(options);
        await options.node.clock.sleep(options.ready() ? interval : 1000, signal).catch(() => undefined);
      }
    },
  };
}

/** One round; what cannot be removed is logged and left for the next. */
export async function collect({ node, workers, podsDirectory, logsDirectory }: CollectorOptions): Promise<void> {
  const { owned } = workers;
  const attempt = async (what: string, uid: string, work: () => Promise<void>): Promise<void> => {
    if (owned.has(uid)) return;
    try {
      await work();
      node.log.info(`collected ${what} of a pod that is gone`, { uid });
    } catch (error) {
      node.log.warn(`cannot collect ${what}`, { uid, error: messageOf(error) });
    }
  };
  for (const uid of node.view.pods()) {
    await attempt('containers', uid, async () => {
      const { sandboxes, containers } = node.view.pod(uid);
      for (const { id } of sandboxes) await node.runtime.stopSandbox(id);
      for (const { id } of containers) {
        await node.runtime.stopContainer(id, 0);
        await node.runtime.removeContainer(id);
        await node.view.refreshContainer(id);
      }
      for (const { id } of sandboxes) {
        await node.runtime.removeSandbox(id);
        await node.view.refreshSandbox(id);
      }
    });
  }
  for (const uid of await node.cgroups.list()) await attempt('the cgroup', uid, () => node.cgroups.remove(uid));
  for (const uid of await entriesOf(podsDirectory)) {
    await attempt('the folder', uid, () => removePodDirectory(join(podsDirectory, uid), node.mounter));
  }
  for (const entry of await entriesOf(logsDirectory)) {
    const uid = entry.slice(entry.lastIndexOf('_') + 1);
    await attempt('the logs', uid, () => rm(join(logsDirectory, entry), { recursive: true, force: true }));
  }
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}
