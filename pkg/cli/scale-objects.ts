/** `berth scale`: sets replicas through the scale subresource; of a Stack's service, in the Stack itself. */
import { stacks } from '#api/shapes/resources';
import type { Scale } from '#api/shapes/types/autoscaling-v1';
import type { ComposeProject } from '#compose/model';
import { type Connection, pathOf } from './connection.ts';
import { parseCount } from './durations.ts';
import { selectInFiles, selectObjects } from './selection.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface ScaleFlags {
  readonly replicas: string;
  readonly currentReplicas?: string;
  readonly service?: string;
  readonly filename?: readonly string[];
}

export async function scaleObjects(
  context: VerbContext,
  connection: Connection,
  words: readonly string[],
  flags: ScaleFlags,
): Promise<number> {
  const replicas = parseCount('--replicas', flags.replicas);
  const expected = flags.currentReplicas === undefined ? undefined : parseCount('--current-replicas', flags.currentReplicas);
  const selections =
    flags.filename === undefined ? await selectObjects(connection, words) : await selectInFiles(context, connection, flags.filename, words);
  for (const { resource, name, namespace = connection.namespace } of selections) {
    if (name === undefined)
      throw new UsageError(
        `name the ${resource.singular} to scale`,
        `For example: berth scale ${resource.singular}/NAME --replicas=${replicas}`,
      );
    if (resource.kind === 'Stack') {
      await scaleService(connection, name, flags.service, replicas, expected);
    } else {
      if (flags.service !== undefined) throw new UsageError(`--service is for stacks, and a ${resource.kind} has none`);
      const path = pathOf(resource, namespace, name, 'scale');
      const scale = await connection.json<Scale>({ path });
      const current = scale.spec?.replicas ?? 0;
      if (expected !== undefined && expected !== current)
        throw new UsageError(`${resource.singular} "${name}" has ${current} replicas, not ${expected}`, 'Nothing was changed.');
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

async function scaleService(
  connection: Connection,
  stackName: string,
  given: string | undefined,
  replicas: number,
  expected: number | undefined,
): Promise<void> {
  const key = { name: stackName, namespace: connection.namespace };
  const stack = await connection.client.get(stacks, key);
  const services = (stack.spec.services ?? {}) as ComposeProject['services'];
  const names = Object.keys(services);
  const name = given ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined)
    throw new UsageError(`stack "${stackName}" has several services; name one`, `--service with one of: ${names.join(', ')}`);
  const service = Object.hasOwn(services, name) ? services[name] : undefined;
  if (service === undefined) throw new UsageError(`stack "${stackName}" has no service "${name}"`, `It has: ${names.join(', ')}`);
  const current = service.deploy?.replicas ?? service.scale ?? 1;
  if (expected !== undefined && expected !== current)
    throw new UsageError(`service "${name}" has ${current} replicas, not ${expected}`, 'Nothing was changed.');
  await connection.client.patch(stacks, key, 'merge', { spec: { services: { [name]: { deploy: { replicas }, scale: null } } } });
}
