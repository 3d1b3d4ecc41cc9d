import type { PullProgress } from '../runtime.ts';

/** One download that is under way, as containerd's content store lists it. */
export interface Download {
  readonly reference: string;
  readonly offset: number;
  readonly total: number;
}

/**
 * Sums downloads over the life of one pull. A layer that is complete vanishes from the store's list: it counts in full from then on.
 * The list knows no images, so pulls that run at once are counted together.
 */
export class DownloadTotals {
  readonly #known = new Map<string, { done: number; total: number }>();

  update(downloads: readonly Download[]): PullProgress {
    const running = new Set(downloads.map(({ reference }) => reference));
    for (const [reference, entry] of this.#known) if (!running.has(reference)) entry.done = entry.total;
    for (const { reference, offset, total } of downloads) this.#known.set(reference, { done: offset, total: Math.max(offset, total) });
    let doneBytes = 0;
    let totalBytes = 0;
    for (const { done, total } of this.#known.values()) {
      doneBytes += done;
      totalBytes += total;
    }
    return { doneBytes, totalBytes };
  }
}
