/** Whether to act on what a server offers. Pure: the one place where an older or another store is told from an honest one. */

export interface Held {
  /** Empty: nothing was ever accepted. */
  readonly incarnation: string;
  readonly era: string;
  readonly revision: number;
  /** The newest restore of the store that was accepted; empty: none. */
  readonly restoredEra: string;
}

/** What a server said of its store when the session began. */
export interface StoreState {
  readonly era: string;
  /** It has less of our era than we have acted on. */
  readonly diverged: boolean;
  readonly restoredEra: string;
}

export interface Offer {
  readonly incarnation: string;
  readonly revision: number;
}

/** Undefined: accept. Otherwise the reason to refuse, which says what to do. */
export function reasonToRefuse(held: Held, store: StoreState, offer: Offer): string | undefined {
  if (held.incarnation === '') return undefined;
  if (offer.incarnation !== held.incarnation) {
    return (
      `the server's store (incarnation ${offer.incarnation}) is not the one that this node's pods came from (${held.incarnation}); what runs here goes on. ` +
      'If the old store is lost and this one is to take over, start the agent once with --forget-assignments: it stops what the new store does not know'
    );
  }
  if (isRestore(held, store)) return undefined;
  if (store.diverged) {
    return (
      `an older copy of the server's store was put in place: this node has acted on revision ${held.revision}, of which that copy knows nothing; what runs here ` +
      'goes on. Bring the newer store back or, if it is lost, start the agent once with --forget-assignments: it stops what the older copy does not know'
    );
  }
  if (offer.revision < held.revision) return `revision ${offer.revision} is older than ${held.revision}, which this node has acted on`;
  return undefined;
}

/** Someone has restored the store on purpose since we last accepted anything. */
function isRestore(held: Held, store: StoreState): boolean {
  return store.restoredEra !== '' && store.restoredEra !== held.restoredEra;
}
