/** `berth apply` of Compose files: contents first, then the Stack; nothing is written that did not change. */
import { deepEqual } from '#api/equality';
import { configMaps, secrets, stacks } from '#api/shapes/resources';
import type { Stack } from '#api/shapes/types/compose-v1alpha1';
import { hasReason } from '#base/errors';
import { ComposeError } from '#compose/compose-error';
import { type ApplyPlan, planApply } from '#compose/plan-apply';
import { type ComposeFlags, loadComposeProject } from './compose-project.ts';
import type { Connection } from './connection.ts';
import { parseSeconds } from './durations.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';
import { waitForStack } from './wait-for-stack.ts';

interface ApplyComposeFlags extends ComposeFlags {
  readonly wait: boolean;
  readonly timeout: string;
  readonly dryRun: boolean;
}

export async function applyCompose(
  context: VerbContext,
  connection: Connection,
  files: readonly { readonly path: string; readonly content: string }[],
  flags: ApplyComposeFlags,
): Promise<number> {
  const timeout = parseSeconds('--timeout', flags.timeout) * 1000;
  const plan = planOf(await loadComposeProject(context, files, flags), connection.namespace);
  for (const warning of plan.warnings) context.stderr.write(`warning: ${warning}\n`);
  const { stack, outcome } = await applyPlan(connection, plan, flags.dryRun);
  context.stdout.write(`stack.compose.berth.dev/${stack.metadata.name} ${outcome}${flags.dryRun ? ' (dry run)' : ''}\n`);
  if (!flags.wait || flags.dryRun) return exitCodes.ok;
  return await waitForStack(context, connection, stack, timeout);
}

function planOf(loaded: Parameters<typeof planApply>[0], namespace: string): ApplyPlan {
  try {
    return planApply(loaded, namespace);
  } catch (error) {
    if (error instanceof ComposeError) throw new UsageError(error.message, 'Nothing was applied.');
    throw error;
  }
}

async function applyPlan(
  connection: Connection,
  plan: ApplyPlan,
  dryRun: boolean,
): Promise<{ stack: Stack; outcome: 'created' | 'configured' | 'unchanged' }> {
  const { client } = connection;
  const options = { dryRun, fieldManager: 'berth-apply' };
  // Named by what they hold: one that is there already is the right one.
  const create = async (make: () => Promise<unknown>): Promise<void> => {
    try {
      await make();
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  };
  await Promise.all([
    ...plan.configMaps.map((configMap) => create(() => client.create(configMaps, configMap, options))),
    ...plan.secrets.map((secret) => create(() => client.create(secrets, secret, options))),
  ]);
  for (let attempt = 0; ; attempt++) {
    const current = await client.find(stacks, plan.stack.metadata);
    try {
      if (current === undefined) return { stack: await client.create(stacks, plan.stack, options), outcome: 'created' };
      if (current.metadata.deletionTimestamp !== undefined) {
        throw new UsageError(
          `stack "${current.metadata.name}" is being deleted`,
          'Apply it again once it is gone; berth get stacks shows when.',
        );
      }
      if (deepEqual(current.spec, plan.stack.spec)) return { stack: current, outcome: 'unchanged' };
      return { stack: await client.update(stacks, { ...current, spec: plan.stack.spec }, options), outcome: 'configured' };
    } catch (error) {
      if (attempt >= 5 || !(hasReason(error, 'Conflict') || hasReason(error, 'AlreadyExists'))) throw error;
    }
  }
}
