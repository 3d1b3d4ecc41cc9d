/** `berth scale`: sets replicas through the scale subresource; of a Stack's service, in the Stack itself. */
import { stacks } from '#api/shapes/resources';
import type { Scale } from '#api/shapes/types/autoscaling-v1';
import { type Connection, pathOf } from './connection.ts';
import { selectObjects } from './selection.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface ScaleFlags {
  readonly replicas: string;
  readonly currentReplicas?: string;
  readonly service?: string;
}

export async function scaleObjects(
  context: VerbContext,
  connection: Connection,
  words: readonly string[],
  flags: ScaleFlags,
): Promise<number> {
  const replicas = Number(flags.replicas);
  if (!Number.isInteger(replicas) || replicas < 0) throw new UsageError(`--replicas is a whole number from 0, not "${flags.replicas}"`);
  for (const { resource, name } of await selectObjects(connection, words)) {
    if (name === undefined)
      throw new UsageError(
        `name the ${resource.singular} to scale`,
        `For example: berth scale ${resource.singular}/NAME --replicas=${replicas}`,
      );
    if (resource.kind === 'Stack') {
      await scaleService(connection, name, flags.service, replicas);
    } else {
      const path = pathOf(resource, connection.namespace, name, 'scale');
      const scale = await connection.json<Scale>({ path });
      const current = scale.spec?.replicas ?? 0;
      if (flags.currentReplicas !== undefined && Number(flags.currentReplicas) !== current)
        throw new UsageError(`${resource.singular} "${name}" has ${current} replicas, not ${flags.currentReplicas}`);
      await connection.json({
        method: 'PUT',
        path,
        contentType: 'application/json',
        body: JSON.stringify({ ...scale, spec: { ...scale.spec, replicas } }),
      });
    }
    context.stdout.write(
      `${resource.singular}${resource.group === '' ? '' : `.${resource.group}`}/${name}${flags.service === undefined ? '' : ` ${flags.service}`} scaled\n`,
    );
  }
  return exitCodes.ok;
}

async function scaleService(connection: Connection, stackName: string, service: string | undefined, replicas: number): Promise<void> {
  const key = { name: stackName, namespace: connection.namespace };
  const stack = await connection.client.get(stacks, key);
  const services = (stack.spec.services ?? {}) as Record<string, { deploy?: object }>;
  const names = Object.keys(services).join(', ');
  if (service === undefined) throw new UsageError(`stack "${stackName}" has several services; name one`, `--service with one of: ${names}`);
  if (!Object.hasOwn(services, service)) throw new UsageError(`stack "${stackName}" has no service "${service}"`, `It has: ${names}`);
  await connection.client.patch(stacks, key, 'merge', { spec: { services: { [service]: { deploy: { replicas }, scale: null } } } });
}
