/** `berth delete`: by name, by label, or all that a file names; waits until they are gone unless told not to. */
import { apiVersionOf, parseApiVersion } from '#api/object';
import { hasReason } from '#base/errors';
import type { PropagationPolicy } from '#client/transport';
import { type Connection, pathOf } from './connection.ts';
import { readManifests } from './manifests.ts';
import type { MappedResource } from './resource-mapper.ts';
import { selectObjects } from './selection.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface DeleteFlags {
  readonly filename?: readonly string[];
  readonly selector?: string;
  readonly all?: boolean;
  readonly allNamespaces?: boolean;
  readonly force?: boolean;
  readonly gracePeriod?: string;
  readonly cascade: string;
  readonly wait: boolean;
  readonly timeout: string;
  readonly ignoreNotFound?: boolean;
  readonly projectName?: string;
}

interface Doomed {
  readonly resource: MappedResource;
  readonly name: string;
  readonly namespace: string | undefined;
}

const policies: Readonly<Record<string, PropagationPolicy>> = { background: 'Background', foreground: 'Foreground', orphan: 'Orphan' };

export async function deleteObjects(
  context: VerbContext,
  connection: Connection,
  words: readonly string[],
  flags: DeleteFlags,
): Promise<number> {
  const policy = policies[flags.cascade];
  if (policy === undefined) throw new UsageError(`--cascade is background, foreground or orphan, not "${flags.cascade}"`);
  const grace = flags.force ? 0 : flags.gracePeriod === undefined ? undefined : Number(flags.gracePeriod);
  if (grace !== undefined && !(Number.isInteger(grace) && grace >= 0))
    throw new UsageError(`--grace-period is a number of seconds, not "${flags.gracePeriod}"`);
  const doomed =
    flags.filename === undefined ? await fromWords(connection, words, flags) : await fromFiles(context, connection, flags.filename, flags);
  let exitCode: number = exitCodes.ok;
  const deleted: (Doomed & { readonly uid: string | undefined })[] = [];
  for (const object of doomed) {
    const path = pathOf(object.resource, object.namespace, object.name);
    try {
      const before = await connection.json<{ metadata: { uid?: string } }>({ path });
      await connection.json({
        method: 'DELETE',
        path,
        contentType: 'application/json',
        body: JSON.stringify({
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          propagationPolicy: policy,
          ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
        }),
      });
      deleted.push({ ...object, uid: before.metadata.uid });
      context.stdout.write(
        `${object.resource.singular}${object.resource.group === '' ? '' : `.${object.resource.group}`} "${object.name}" deleted\n`,
      );
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
      if (flags.ignoreNotFound) continue;
      context.stderr.write(`Error from server (NotFound): ${error.message}\n`);
      exitCode = exitCodes.error;
    }
  }
  if (flags.wait) await waitUntilGone(context, connection, deleted, Number(flags.timeout) * 1000);
  return exitCode;
}

async function fromWords(connection: Connection, words: readonly string[], flags: DeleteFlags): Promise<readonly Doomed[]> {
  const selections = await selectObjects(connection, words);
  const named = selections.filter((selection) => selection.name !== undefined);
  if (named.length > 0) return named.map(({ resource, name }) => ({ resource, name: name ?? '', namespace: connection.namespace }));
  if (flags.selector === undefined && !flags.all)
    throw new UsageError('name what is to be deleted', 'A name, -l with labels, -f with a file, or --all for all of a type.');
  const lists = await Promise.all(
    selections.map(async ({ resource }) => {
      const query = flags.selector === undefined ? '' : `?labelSelector=${encodeURIComponent(flags.selector)}`;
      const list = await connection.json<{ items: { metadata: { name: string; namespace?: string } }[] }>({
        path: `${pathOf(resource, flags.allNamespaces ? undefined : connection.namespace)}${query}`,
      });
      return list.items.map(({ metadata }) => ({ resource, name: metadata.name, namespace: metadata.namespace }));
    }),
  );
  return lists.flat();
}

async function fromFiles(
  context: VerbContext,
  connection: Connection,
  files: readonly string[],
  flags: DeleteFlags,
): Promise<readonly Doomed[]> {
  const set = await readManifests(files, context);
  const mapper = await connection.mapper();
  if (set.type === 'compose') {
    const { loadComposeProject } = await import('./compose-project.ts');
    const { project } = await loadComposeProject(
      context,
      set.files,
      flags.projectName === undefined ? {} : { projectName: flags.projectName },
    );
    return [{ resource: mapper.find('stacks.compose.berth.dev')[0]!, name: project.name ?? '', namespace: connection.namespace }];
  }
  return set.manifests.map(({ object, where }) => {
    const { group, version } = parseApiVersion(object.apiVersion);
    const resource = mapper.findKind(group, version, object.kind);
    if (resource === undefined)
      throw new UsageError(`${where}: the server has no kind ${object.kind} in ${apiVersionOf({ group, version })}`);
    return { resource, name: object.metadata.name ?? '', namespace: object.metadata.namespace ?? connection.namespace };
  });
}

async function waitUntilGone(
  context: VerbContext,
  connection: Connection,
  objects: readonly (Doomed & { readonly uid: string | undefined })[],
  timeout: number,
): Promise<void> {
  const deadline = context.clock.monotonic() + timeout;
  for (const object of objects) {
    for (;;) {
      const present = await connection.client.find(object.resource, {
        name: object.name,
        ...(object.resource.namespaced && object.namespace !== undefined ? { namespace: object.namespace } : {}),
      });
      if (present === undefined || present.metadata.uid !== object.uid) break;
      if (context.clock.monotonic() > deadline) {
        throw new UsageError(
          `${object.resource.singular} "${object.name}" is still there after ${timeout / 1000} s`,
          `Its finalizers: ${present.metadata.finalizers?.join(', ') ?? 'none'}; berth describe ${object.resource.singular} ${object.name} may say more.`,
        );
      }
      await context.clock.sleep(200, context.signal);
    }
  }
}
