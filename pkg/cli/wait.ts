/**
 * Waits until what was applied is well, with a progress table; bounded by a time limit, and given up earlier where nothing will come of it by itself. A
 * server that is away for a moment (it is started again, say) does not end the wait.
 */
import type { Pod } from '#api/shapes/types/core-v1';
import { hasReason } from '#base/errors';
import { type Trouble, troubleOf } from './pod-trouble.ts';
import { type ProgressRow, ProgressTable } from './progress.ts';
import { UsageError, type VerbContext } from './verb.ts';

export interface Round {
  readonly rows: readonly ProgressRow[];
  readonly verdict: 'done' | 'waiting' | 'failed';
  /** Those on which it depends. */
  readonly pods: readonly Pod[];
}

export type WaitEnd = 'done' | 'failed' | 'late' | Trouble;

const pause = 250;
/** How long the same trouble of a pod is watched before it counts as lasting: room may be made, a registry may answer again. Milliseconds. */
const patience: Readonly<Record<Trouble, number>> = { unschedulable: 15_000, stuck: 30_000 };
const serverPatience = 30_000;

/** From when on what others tell is of what is done now, by clocks that are not quite the same; stamps have whole seconds. */
export function beginningOf(context: Pick<VerbContext, 'clock'>): number {
  return context.clock.now() - 2000;
}

/** `timeout` in milliseconds. Rejects with what `observe` last threw when the server stays away. */
export async function waitUntilWell(context: VerbContext, timeout: number, observe: () => Promise<Round>): Promise<WaitEnd> {
  const { clock } = context;
  const progress = new ProgressTable(context);
  const began = clock.monotonic();
  const troubledSince = new Map<string, number>();
  let silentSince: number | undefined;
  for (;;) {
    const now = clock.monotonic();
    let round: Round | undefined;
    try {
      round = await observe();
      silentSince = undefined;
    } catch (error) {
      if (!isAway(error) || now - (silentSince ?? now) > serverPatience) throw error;
      if (silentSince === undefined) context.stderr.write('the server does not answer; trying again\n');
      silentSince ??= now;
    }
    if (round !== undefined) {
      progress.show(round.rows);
      if (round.verdict !== 'waiting') return round.verdict;
      const lasting = lastingTrouble(round.pods, troubledSince, now);
      if (lasting !== undefined) return lasting;
    }
    if (now - began >= timeout) {
      if (round === undefined) throw new UsageError('the server did not answer in time', '`berth get nodes` shows whether it does again.');
      return 'late';
    }
    await clock.sleep(Math.min(pause, Math.max(1, timeout - (now - began))), context.signal);
  }
}

/** `since` is kept between the rounds: when each pod's trouble began. */
function lastingTrouble(pods: readonly Pod[], since: Map<string, number>, now: number): Trouble | undefined {
  const present = new Set<string>();
  let lasting: Trouble | undefined;
  for (const pod of pods) {
    const trouble = troubleOf(pod);
    if (trouble === undefined) continue;
    const key = `${pod.metadata.uid} ${trouble}`;
    present.add(key);
    if (!since.has(key)) since.set(key, now);
    if (now - (since.get(key) ?? now) >= patience[trouble]) lasting ??= trouble;
  }
  for (const key of since.keys()) if (!present.has(key)) since.delete(key);
  return lasting;
}

function isAway(error: unknown): boolean {
  return hasReason(error, 'ServiceUnavailable') || (error instanceof UsageError && error.unreachable);
}
