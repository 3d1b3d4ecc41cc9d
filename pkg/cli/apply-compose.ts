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
import { beginningOf } from './wait.ts';
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
  const since = beginningOf(context);
  const plan = planOf(await loadComposeProject(context, files, flags), connection.namespace);
  for (const warning of plan.warnings) context.stderr.write(`warning: ${warning}\n`);
  await awaitDeletion(context, connection, plan.stack.metadata, timeout);
  const { stack, outcome } = await applyPlan(connection, plan, flags.dryRun);
  context.stdout.write(`stack.compose.berth.dev/${stack.metadata.name} ${outcome}${flags.dryRun ? ' (dry run)' : ''}\n`);
  if (!flags.wait || flags.dryRun) return exitCodes.ok;
  return await waitForStack(context, connection, stack, { timeout, since });
}

function planOf(loaded: Parameters<typeof planApply>[0], namespace: string): ApplyPlan {
  try {
    return planApply(loaded, namespace);
  } catch (error) {
    if (error instanceof ComposeError) throw new UsageError(error.message, 'Nothing was applied.');
    throw error;
  }
}

/** One of the same name that is on its way out takes what belongs to it along: the new one comes after. */
async function awaitDeletion(
  context: VerbContext,
  connection: Connection,
  key: { readonly name: string; readonly namespace: string },
  timeout: number,
): Promise<void> {
  const deadline = context.clock.monotonic() + timeout;
  for (let rounds = 0; ; rounds++) {
    const current = await connection.client.find(stacks, key);
    if (current?.metadata.deletionTimestamp === undefined) return;
    if (rounds === 0) context.stderr.write(`stack ${key.name} is being deleted; it is made anew once it is gone\n`);
    if (context.clock.monotonic() > deadline)
      throw new UsageError(
        `stack "${key.name}" is still being deleted`,
        `berth get pods -l compose.berth.dev/stack=${key.name} shows what is left.`,
      );
    await context.clock.sleep(200, context.signal);
  }
}

/** Contents before the Stack that refers to them; and before those the server's word that it would take the Stack, so that nothing is half done. */
async function applyPlan(connection: Connection, plan: ApplyPlan, dryRun: boolean): Promise<AppliedStack> {
  const { client } = connection;
  const checked = await writeStack(connection, plan.stack, true);
  if (dryRun) return checked;
  await Promise.all([
    ...plan.configMaps.map((configMap) => ensure(client.create(configMaps, configMap, options))),
    ...plan.secrets.map((secret) => ensure(client.create(secrets, secret, options))),
  ]);
  return checked.outcome === 'unchanged' ? checked : await writeStack(connection, plan.stack, false);
}

interface AppliedStack {
  readonly stack: Stack;
  readonly outcome: 'created' | 'configured' | 'unchanged';
}

const options = { fieldManager: 'berth-apply' };

/** Contents are named by what they hold: one that is there already is the right one. */
async function ensure(created: Promise<unknown>): Promise<void> {
  try {
    await created;
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  }
}

async function writeStack({ client }: Connection, wanted: ApplyPlan['stack'], dryRun: boolean): Promise<AppliedStack> {
  for (let attempt = 0; ; attempt++) {
    const current = await client.find(stacks, wanted.metadata);
    try {
      if (current === undefined) return { stack: await client.create(stacks, wanted, { ...options, dryRun }), outcome: 'created' };
      if (deepEqual(current.spec, wanted.spec)) return { stack: current, outcome: 'unchanged' };
      return { stack: await client.update(stacks, { ...current, spec: wanted.spec }, { ...options, dryRun }), outcome: 'configured' };
    } catch (error) {
      if (attempt >= 5 || !(hasReason(error, 'Conflict') || hasReason(error, 'AlreadyExists'))) throw error;
    }
  }
}
