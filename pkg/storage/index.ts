/** Every storage backend, in the order in which help names them. What a backend needs is loaded when it is opened. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import type { Backend, History } from './backend.ts';
import type { EtcdOptions } from './etcd/etcd-backend.ts';

export type EtcdSettings = Omit<EtcdOptions, 'clock' | 'log' | 'registry' | 'maximumPendingBytes'>;

export interface StorageOptions {
  /** `$BERTH_HOME`: what is embedded stands in its folder `server`. */
  readonly home: string;
  /** For `etcd` alone. */
  readonly etcd?: EtcdSettings;
  /** For a store's metrics; there are none unless given. */
  readonly registry?: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

interface StorageDriver {
  readonly name: string;
  /** For help, after the name. */
  readonly about: string;
  /** Several servers may have it open at the same time. */
  readonly isShared: boolean;
  /** Opens the store, making it if there is none. Throws an error that says what is in the way. */
  open(options: StorageOptions): Promise<Backend>;
  /**
   * Lets a store that no server has open carry on the history of what was put, or is about to be put, into it: its revision is raised,
   * and nothing from before can be read or watched any more. Absent: what it keeps is lost with the process.
   */
  carryOn?(options: StorageOptions, history: History): Promise<void>;
}

export const storageDrivers = [
  {
    name: 'sqlite',
    about: 'a file of its own',
    isShared: false,
    open: async (options) => {
      const { openSqlite } = await import('./sqlite/sqlite-backend.ts');
      return await openSqlite({ path: await sqlitePath(options) });
    },
    carryOn: async (options, history) => {
      const { carryOnSqlite } = await import('./sqlite/sqlite-backend.ts');
      await carryOnSqlite({ path: await sqlitePath(options) }, history);
    },
  },
  {
    name: 'memory',
    about: 'lost at the end',
    isShared: false,
    open: async () => {
      const { MemoryBackend } = await import('./memory/memory-backend.ts');
      return new MemoryBackend();
    },
  },
  {
    name: 'etcd',
    about: 'several servers may share it',
    isShared: true,
    open: async (options) => {
      const { openEtcd } = await import('./etcd/etcd-backend.ts');
      return await openEtcd(etcdOptions(options));
    },
    carryOn: async (options, history) => {
      const { carryOnEtcd } = await import('./etcd/etcd-backend.ts');
      await carryOnEtcd(etcdOptions(options), history);
    },
  },
] as const satisfies readonly StorageDriver[];

export type StoreName = (typeof storageDrivers)[number]['name'];

/** The driver of that name. */
export function storageDriver(name: StoreName): StorageDriver {
  const found: StorageDriver | undefined = storageDrivers.find((driver) => driver.name === name);
  if (found === undefined)
    throw new Error(`there is no store "${name}"; there are ${storageDrivers.map((driver) => driver.name).join(', ')}`);
  return found;
}

async function sqlitePath({ home }: StorageOptions): Promise<string> {
  const folder = join(home, 'server');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return join(folder, 'store.db');
}

function etcdOptions({ etcd, registry, clock, log }: StorageOptions): EtcdOptions {
  if (etcd === undefined) throw new Error('the store etcd needs endpoints: --etcd-endpoints');
  return { ...etcd, clock, log, ...(registry === undefined ? {} : { registry }) };
}
