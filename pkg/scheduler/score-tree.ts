/**
 * The best of many slots, kept: a tournament over scores, in which a change of one slot costs the logarithm of their number.
 * The highest score wins, and of equals the lowest slot.
 */
export class ScoreTree {
  #leaves = 1;
  /** Node `i` has the children `2i` and `2i + 1`; slot `s` is leaf `#leaves + s`. */
  #scores = new Float64Array(2).fill(none);

  /** Forgets all scores and makes room for `slots`. */
  reset(slots: number): void {
    let leaves = 1;
    while (leaves < slots) leaves *= 2;
    if (leaves !== this.#leaves) {
      this.#leaves = leaves;
      this.#scores = new Float64Array(2 * leaves);
    }
    this.#scores.fill(none);
  }

  get room(): number {
    return this.#leaves;
  }

  /** Sets a score without putting the tree in order: call `build` when all are set. */
  put(slot: number, score: number): void {
    this.#scores[this.#leaves + slot] = score;
  }

  build(): void {
    for (let node = this.#leaves - 1; node >= 1; node--) {
      this.#scores[node] = Math.max(this.#scores[2 * node]!, this.#scores[2 * node + 1]!);
    }
  }

  set(slot: number, score: number): void {
    let node = this.#leaves + slot;
    if (this.#scores[node] === score) return;
    this.#scores[node] = score;
    for (node >>= 1; node >= 1; node >>= 1) {
      const best = Math.max(this.#scores[2 * node]!, this.#scores[2 * node + 1]!);
      if (this.#scores[node] === best) return;
      this.#scores[node] = best;
    }
  }

  /** The slot with the best score; -1 when no slot has one. */
  best(): number {
    const score = this.#scores[1]!;
    if (score === none) return -1;
    let node = 1;
    while (node < this.#leaves) {
      node *= 2;
      if (this.#scores[node] !== score) node++;
    }
    return node - this.#leaves;
  }
}

/** The score of a slot that will not do. */
export const none = Number.NEGATIVE_INFINITY;
