/** Whether to act on what a server offers. Pure: the one place where an older or another store is told from an honest one. */

export interface Held {
  /** Empty: nothing was ever accepted. */
  readonly incarnation: string;
  readonly revision: number;
  /** Set once a server showed an older store: nothing below this revision is accepted any more. */
  readonly refusedBelow: number;
}

export interface Offer {
  readonly incarnation: string;
  readonly revision: number;
}

/** Ordinary writes do not come this far between two sessions; a deliberate restore raises the revision by much more. */
export const restoreJump = 1_000_000;

/** Undefined: accept. Otherwise the reason to refuse, which says what to do. */
export function reasonToRefuse(held: Held, offer: Offer): string | undefined {
  if (held.incarnation === '') return undefined;
  if (offer.incarnation !== held.incarnation) {
    return (
      `the server's store (incarnation ${offer.incarnation}) is not the one that this node's pods came from (${held.incarnation}); what runs here goes on. ` +
      'If the old store is lost and this one is to take over, start the agent once with --forget-assignments: it stops what the new store does not know'
    );
  }
  if (offer.revision < held.refusedBelow) {
    return (
      `an older copy of the server's store was put in place: this node has acted on revision ${held.revision}, and later saw less; what runs here goes on. ` +
      'Restore the store with "berth store restore", which raises its revision, or start the agent once with --forget-assignments'
    );
  }
  if (offer.revision < held.revision) return `revision ${offer.revision} is older than ${held.revision}, which this node has acted on`;
  return undefined;
}

/** What is held after a server has told its store's revision: one behind our own, in the same incarnation, cannot be honest. */
export function afterWelcome(held: Held, offer: Offer): Held {
  const rolledBack = held.incarnation !== '' && offer.incarnation === held.incarnation && offer.revision < held.revision;
  return rolledBack ? { ...held, refusedBelow: Math.max(held.refusedBelow, held.revision + restoreJump) } : held;
}
