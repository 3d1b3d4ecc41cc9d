/** Every kind with behaviour of its own, in the order in which kubectl lists them; all other stored kinds follow from the tables. */
import type { AnyKind } from '../kind.ts';
import { completeKinds, KindRegistry } from '../registry.ts';
import { pod } from './pod.ts';

const written: readonly AnyKind[] = [pod];

export const kinds: readonly AnyKind[] = completeKinds(written);

/** The registry that the server serves. */
export const kindRegistry: KindRegistry = new KindRegistry(kinds);
