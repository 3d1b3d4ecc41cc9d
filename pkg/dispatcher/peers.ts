/** The servers over one store, as their dispatchers see each other: which of them serves a node's agent, and where agents find them. */

export interface Peer {
  readonly name: string;
  /** Of this start of it. */
  readonly identity: string;
  /** `host:port` that agents dial; undefined: it has no dispatcher. */
  readonly agents: string | undefined;
  /** In which it serves agents; empty: in none yet. */
  readonly era: string;
  /** Whether it was seen to live: one that is only on record may have been killed. */
  readonly renewed: boolean;
}

export interface Peers {
  readonly own: Pick<Peer, 'name' | 'identity'>;
  /** Those that are taken to live, this one included. */
  readonly members: readonly Peer[];
  /** The same, as of every write that was acknowledged before the call. */
  newest(): Promise<readonly Peer[]>;
  /** Says in which era this server serves agents. */
  serve(era: string): Promise<void>;
  /** Gives back how to stop it. */
  onChange(listener: () => void): () => void;
  /** `listener` is called when another has taken this server for dead. */
  onLost(listener: () => void): void;
}
