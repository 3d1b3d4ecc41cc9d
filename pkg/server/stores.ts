/** The stores by name, and what an operator does to one that no server has open: `berth store`. */
import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import { type EtcdSettings, type StoreName, storageDrivers } from '#storage/index';

export type { EtcdSettings, StoreName };
/** What is read anew when its files change. */
export type EtcdSecrets = Awaited<ReturnType<NonNullable<EtcdSettings['refresh']>>>;

export const storeNames: readonly StoreName[] = storageDrivers.map((driver) => driver.name);

/** `sqlite (a file of its own), memory (…)`: for help. */
export const storesInWords = storageDrivers.map((driver) => `${driver.name} (${driver.about})`).join(', ');

export interface StoreOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly store: StoreName;
  readonly etcd?: EtcdSettings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

export interface Transferred {
  readonly keys: number;
  /** The revision at which the store was exported. */
  readonly revision: number;
}

/** Writes all of the cluster's state at one revision to a new file, mode 0600. Throws an error that says what is in the way. */
export async function exportCluster(options: StoreOptions, path: string): Promise<Transferred> {
  const { exportStore } = await import('#storage/transfer');
  return await exportStore(options.store, options, path);
}

/** Fills an empty store from such a file; it goes on as the one that was exported. Throws an error that says what is in the way. */
export async function importCluster(options: StoreOptions, path: string): Promise<Transferred> {
  const { importStore } = await import('#storage/transfer');
  return await importStore(options.store, options, path);
}

/** Raises the revision of a store that was put back from a backup, once, before a server opens it; gives the revision from which it goes on. */
export async function restoreCluster(options: StoreOptions): Promise<number> {
  const { carryOnRestored } = await import('#storage/transfer');
  return await carryOnRestored(options.store, options);
}
