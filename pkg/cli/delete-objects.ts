/** `berth delete`: by name, by label, or all that a file names; waits until they are gone unless told not to. */
import { stacks } from '#api/shapes/resources';
import { hasReason } from '#base/errors';
import type { PropagationPolicy } from '#client/transport';
import { type Connection, pathOf } from './connection.ts';
import { parseCount, parseSeconds } from './durations.ts';
import { isDryRun } from './flags.ts';
import type { MappedResource } from './resource-mapper.ts';
import { selectInFiles, selectObjects } from './selection.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface DeleteFlags {
  readonly filename?: readonly string[];
  readonly selector?: string;
  readonly all?: boolean;
  readonly allNamespaces?: boolean;
  readonly force?: boolean;
  readonly gracePeriod?: string;
  readonly cascade?: string;
  readonly wait: boolean;
  readonly timeout: string;
  readonly ignoreNotFound?: boolean;
  readonly now?: boolean;
  readonly recursive?: boolean;
  readonly fieldSelector?: string;
  readonly output?: string;
  readonly dryRun?: true | string;
  readonly projectName?: string;
  readonly envFile?: readonly string[];
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
  if (flags.cascade !== undefined && policies[flags.cascade] === undefined)
    throw new UsageError(`--cascade is background, foreground or orphan, not "${flags.cascade}"`);
  const grace = gracePeriodOf(flags);
  const timeout = parseSeconds('--timeout', flags.timeout) * 1000;
  const dryRun = isDryRun(flags.dryRun);
  if (flags.output !== undefined && flags.output !== 'name') throw new UsageError(`-o is name, not "${flags.output}"`);
  const doomed =
    flags.filename === undefined
      ? await fromWords(connection, words, flags)
      : (await selectInFiles(context, connection, flags.filename, words, flags)).map(({ resource, name = '', namespace }) => ({
          resource,
          name,
          namespace: namespace ?? connection.namespace,
        }));
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
          propagationPolicy: policies[flags.cascade ?? defaultCascade(object.resource)],
          ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
          ...(dryRun ? { dryRun: ['All'] } : {}),
        }),
      });
      deleted.push({ ...object, uid: before.metadata.uid });
      context.stdout.write(deletedLine(object, flags, dryRun));
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
      if (flags.ignoreNotFound) continue;
      context.stderr.write(`Error from server (NotFound): ${error.message}\n`);
      exitCode = exitCodes.error;
    }
  }
  if (flags.wait && !dryRun) await waitUntilGone(context, connection, deleted, timeout);
  return exitCode;
}

/** As kubectl's, but that a stack is gone when what runs of it is gone. */
function defaultCascade({ group, kind }: MappedResource): 'background' | 'foreground' {
  return group === stacks.group && kind === stacks.kind ? 'foreground' : 'background';
}

function gracePeriodOf(flags: DeleteFlags): number | undefined {
  if (flags.force) return 0;
  if (flags.now) return 1;
  // kubectl's -1 is the object's own grace period.
  if (flags.gracePeriod === undefined || flags.gracePeriod === '-1') return undefined;
  return parseCount('--grace-period', flags.gracePeriod);
}

function deletedLine({ resource, name }: Doomed, flags: DeleteFlags, dryRun: boolean): string {
  const type = `${resource.singular}${resource.group === '' ? '' : `.${resource.group}`}`;
  if (flags.output === 'name') return `${type}/${name}\n`;
  return `${type} "${name}" ${flags.force ? 'force deleted' : 'deleted'}${dryRun ? ' (dry run)' : ''}\n`;
}

async function fromWords(connection: Connection, words: readonly string[], flags: DeleteFlags): Promise<readonly Doomed[]> {
  const selections = await selectObjects(connection, words);
  const named = selections.filter((selection) => selection.name !== undefined);
  if (named.length > 0 && (flags.all || flags.selector !== undefined || flags.fieldSelector !== undefined))
    throw new UsageError('names go together neither with --all nor with a selector');
  if (named.length > 0) return named.map(({ resource, name }) => ({ resource, name: name ?? '', namespace: connection.namespace }));
  if (flags.selector === undefined && flags.fieldSelector === undefined && !flags.all)
    throw new UsageError('name what is to be deleted', 'A name, -l with labels, -f with a file, or --all for all of a type.');
  const lists = await Promise.all(
    selections.map(async ({ resource }) => {
      const query = new URLSearchParams();
      if (flags.selector !== undefined) query.set('labelSelector', flags.selector);
      if (flags.fieldSelector !== undefined) query.set('fieldSelector', flags.fieldSelector);
      const list = await connection.json<{ items: { metadata: { name: string; namespace?: string } }[] }>({
        path: `${pathOf(resource, flags.allNamespaces ? undefined : connection.namespace)}?${query.toString()}`,
      });
      return list.items.map(({ metadata }) => ({ resource, name: metadata.name, namespace: metadata.namespace }));
    }),
  );
  return lists.flat();
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
      await context.clock.sleep(100, context.signal);
    }
  }
}
