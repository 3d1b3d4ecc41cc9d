/**
 * Items in the order of their keys, with copies that cost nothing: `clone` shares everything, and whichever side writes first
 * copies just the part that it changes. So a reader walks a state that stands still, while the cache goes on.
 */

/** A chunk is split when it grows beyond this; it is also what one write copies at most. */
const maximumChunk = 512;

interface Chunk<T> {
  owner: object;
  items: T[];
}

export class OrderedList<T extends { readonly key: string }> {
  // Who may write in place: chunks (and the list of them) that carry this very token.
  #owner: object = {};
  #chunksOwner: object = this.#owner;
  #chunks: Chunk<T>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A list with the same items; later changes of either are not seen by the other. */
  clone(): OrderedList<T> {
    const copy = new OrderedList<T>();
    copy.#chunks = this.#chunks;
    copy.#size = this.#size;
    copy.#chunksOwner = this.#chunksOwner;
    this.#owner = {};
    return copy;
  }

  get(key: string): T | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const item = chunk.items[lowerBound(chunk.items, key)];
    return item?.key === key ? item : undefined;
  }

  /** Adds the item, or puts it in the place of the one with its key. */
  set(item: T): void {
    if (this.#chunks.length === 0) {
      this.#ownChunks().push({ owner: this.#owner, items: [item] });
      this.#size = 1;
      return;
    }
    const index = this.#chunkOf(item.key);
    const items = this.#ownChunk(index).items;
    const at = lowerBound(items, item.key);
    if (items[at]?.key === item.key) {
      items[at] = item;
      return;
    }
    items.splice(at, 0, item);
    this.#size++;
    if (items.length > maximumChunk) {
      // Keys mostly grow (generated names, times): when the last one is added, leave the full chunk full.
      const keep = at === items.length - 1 ? maximumChunk : maximumChunk / 2;
      this.#ownChunks().splice(index + 1, 0, { owner: this.#owner, items: items.splice(keep) });
    }
  }

  /** Whether there was such a key. */
  delete(key: string): boolean {
    const index = this.#chunkOf(key);
    const found = this.#chunks[index];
    if (found === undefined) return false;
    const at = lowerBound(found.items, key);
    if (found.items[at]?.key !== key) return false;
    if (found.items.length === 1) this.#ownChunks().splice(index, 1);
    else this.#ownChunk(index).items.splice(at, 1);
    this.#size--;
    return true;
  }

  /** The items with `start <= key < end`, in order. The list must not be changed meanwhile: clone it first. */
  *range(start = '', end?: string): Generator<T, void, undefined> {
    for (let index = this.#chunkOf(start); index < this.#chunks.length; index++) {
      const items = this.#chunks[index]?.items ?? [];
      for (let at = lowerBound(items, start); at < items.length; at++) {
        const item = items[at] as T;
        if (end !== undefined && item.key >= end) return;
        yield item;
      }
    }
  }

  /** How many items have `start <= key < end`, without visiting them. */
  count(start = '', end?: string): number {
    return (end === undefined ? this.#size : this.#rank(end)) - this.#rank(start);
  }

  /** How many keys are below `key`. */
  #rank(key: string): number {
    const index = this.#chunkOf(key);
    let rank = 0;
    for (let before = 0; before < index; before++) rank += this.#chunks[before]?.items.length ?? 0;
    return rank + lowerBound(this.#chunks[index]?.items ?? [], key);
  }

  /** The last chunk that begins at or before `key`, or the first. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.items[0];
      if (first !== undefined && first.key <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #ownChunks(): Chunk<T>[] {
    if (this.#chunksOwner !== this.#owner) {
      this.#chunks = [...this.#chunks];
      this.#chunksOwner = this.#owner;
    }
    return this.#chunks;
  }

  #ownChunk(index: number): Chunk<T> {
    const chunk = this.#chunks[index] as Chunk<T>;
    if (chunk.owner === this.#owner) return chunk;
    const own = { owner: this.#owner, items: [...chunk.items] };
    this.#ownChunks()[index] = own;
    return own;
  }
}

function lowerBound(items: readonly { readonly key: string }[], key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as { readonly key: string }).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
