import type { Stack } from '#api/shapes/types/compose-v1alpha1';
import { applyObjects } from './apply-objects.ts';
import type { Connection } from './connection.ts';
import type { Manifest } from './manifests.ts';
import { exitCodes, type VerbContext } from './verb.ts';
import { waitForStack } from './wait-for-stack.ts';
import { waitForWorkloads } from './wait-for-workloads.ts';

/** Applies, then waits for what has a health of its own: stacks, deployments, pods. */
export async function applyManifests(
  context: VerbContext,
  connection: Connection,
  manifests: readonly Manifest[],
  flags: { readonly wait: boolean; readonly timeout: string; readonly dryRun?: boolean },
): Promise<number> {
  const { exitCode, applied } = await applyObjects(
    context,
    connection,
    manifests,
    flags.dryRun === undefined ? {} : { dryRun: flags.dryRun },
  );
  if (exitCode !== exitCodes.ok || !flags.wait || flags.dryRun) return exitCode;
  const timeout = Number(flags.timeout) * 1000;
  for (const { object } of applied.filter(({ object: { kind } }) => kind === 'Stack')) {
    const code = await waitForStack(context, connection, object as Stack, timeout);
    if (code !== exitCodes.ok) return code;
  }
  return await waitForWorkloads(
    context,
    connection,
    applied.map(({ object }) => object),
    timeout,
  );
}
