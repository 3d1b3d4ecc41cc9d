import type { Stack } from '#api/shapes/types/compose-v1alpha1';
import { applyObjects } from './apply-objects.ts';
import type { Connection } from './connection.ts';
import { parseSeconds } from './durations.ts';
import type { Manifest } from './manifests.ts';
import { exitCodes, type VerbContext } from './verb.ts';
import { beginningOf } from './wait.ts';
import { waitForStack } from './wait-for-stack.ts';
import { waitForWorkloads } from './wait-for-workloads.ts';

/** Applies, then waits for what has a health of its own: stacks, workloads, pods. */
export async function applyManifests(
  context: VerbContext,
  connection: Connection,
  manifests: readonly Manifest[],
  flags: { readonly wait: boolean; readonly timeout: string; readonly dryRun: boolean },
): Promise<number> {
  const timeout = parseSeconds('--timeout', flags.timeout) * 1000;
  const since = beginningOf(context);
  const { exitCode, applied } = await applyObjects(context, connection, manifests, { dryRun: flags.dryRun });
  if (exitCode !== exitCodes.ok || !flags.wait || flags.dryRun) return exitCode;
  for (const { object } of applied.filter(({ resource }) => resource.kind === 'Stack')) {
    const code = await waitForStack(context, connection, object as Stack, { timeout, since });
    if (code !== exitCodes.ok) return code;
  }
  return await waitForWorkloads(context, connection, applied, { timeout, since });
}
