/** Waits until the cluster of this machine works: its server ready, then its node. */
import { existsSync } from 'node:fs';
import { messageOf } from '#base/errors';
import { connect } from '#cli/connection';
import type { BerthHome } from '#cli/home';
import { UsageError, type VerbContext } from '#cli/verb';

const within = 60_000;
/** A node that says the same of itself for so long will go on saying it. */
const settledAfter = 5_000;

interface NodeCondition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

export async function awaitServer(home: BerthHome, context: VerbContext): Promise<void> {
  await poll(home, context, 'the server did not become ready', async () => {
    if (!existsSync(home.kubeconfig)) return false;
    return await ask(home, context, async (connection) => {
      (await connection.stream({ path: '/readyz', accept: '*/*' })).resume();
      return true;
    });
  });
}

export async function awaitNode(home: BerthHome, context: VerbContext): Promise<void> {
  let said = '';
  let since = context.clock.monotonic();
  await poll(home, context, 'the node did not become ready', async () => {
    const conditions = await ask(home, context, async (connection) => {
      const list = await connection.json<{ items: { status?: { conditions?: NodeCondition[] } }[] }>({ path: '/api/v1/nodes' });
      return list.items.flatMap((node) => node.status?.conditions?.filter(({ type }) => type === 'Ready') ?? []);
    });
    if (conditions.some(({ status }) => status === 'True')) return true;
    const message = conditions.map((condition) => condition.message ?? '').join('; ');
    const now = context.clock.monotonic();
    if (message !== said) since = now;
    said = message;
    if (message !== '' && now - since > settledAfter) throw new NotReadyError(message);
    if (message !== '') throw new Error(message);
    return false;
  });
}

class NotReadyError extends Error {
  override readonly name = 'NotReadyError';
}

async function ask<T>(
  home: BerthHome,
  context: VerbContext,
  question: (connection: Awaited<ReturnType<typeof connect>>) => Promise<T>,
): Promise<T> {
  const connection = await connect(context, { kubeconfig: home.kubeconfig });
  try {
    return await question(connection);
  } finally {
    connection.close();
  }
}

async function poll(home: BerthHome, context: VerbContext, failure: string, attempt: () => Promise<boolean>): Promise<void> {
  const deadline = context.clock.monotonic() + within;
  let reason = '';
  for (;;) {
    try {
      if (await attempt()) return;
    } catch (error) {
      if (error instanceof NotReadyError) throw new UsageError(`${failure}: ${error.message}`, `Its logs are in ${home.logs}.`);
      reason = messageOf(error);
    }
    if (context.clock.monotonic() > deadline)
      throw new UsageError(`${failure} within ${within / 1000} s${reason === '' ? '' : `: ${reason}`}`, `Its logs are in ${home.logs}.`);
    await context.clock.sleep(100, context.signal);
  }
}
