/** Lets those who ask under one name go one after the other. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when it is one's turn; what it gives ends the turn. Calling it again does nothing. */
  async take(name: string): Promise<() => void> {
    const before = this.#last.get(name);
    let end: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#last.set(name, turn);
    await before;
    return () => {
      end();
      if (this.#last.get(name) === turn) this.#last.delete(name);
    };
  }
}
