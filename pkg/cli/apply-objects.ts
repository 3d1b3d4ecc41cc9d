/**
 * `berth apply` of Kubernetes manifests: each object is created, or changed by the three-way patch of apply-patch.ts, in the order in which the files
 * name them (namespaces and types first). Where there are several, the server checks all of them before the first is changed, so that a mistake in one
 * leaves nothing half done.
 */
import { apiVersionOf, type KubernetesObject, parseApiVersion } from '#api/object';
import { typeTable } from '#api/schema/type-table';
import { hasReason, StatusError } from '#base/errors';
import { computeApplyPatch, lastAppliedAnnotation } from './apply-patch.ts';
import { type Connection, pathOf } from './connection.ts';
import type { Manifest } from './manifests.ts';
import { nameOf, sortKeys } from './output.ts';
import type { MappedResource } from './resource-mapper.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

interface Work extends Manifest {
  readonly resource: MappedResource;
  readonly namespace: string | undefined;
}

type Outcome = 'created' | 'configured' | 'unchanged';

const first: readonly string[] = [
  'Namespace',
  'CustomResourceDefinition',
  'PriorityClass',
  'StorageClass',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Service',
];

export interface ApplyFlags {
  readonly dryRun: boolean;
}

/** What became of each object; those that failed are told on stderr and make the exit code 1, with nothing applied where the check finds them. */
export async function applyObjects(
  context: VerbContext,
  connection: Connection,
  manifests: readonly Manifest[],
  flags: ApplyFlags,
): Promise<{
  readonly exitCode: number;
  readonly applied: readonly { readonly resource: MappedResource; readonly object: KubernetesObject }[];
}> {
  const work = await Promise.all(manifests.map((manifest) => resolveWork(connection, manifest)));
  if (work.length > 1 && !flags.dryRun && !(await checkAll(context, connection, work))) return { exitCode: exitCodes.error, applied: [] };
  const rank = (item: Work): number => (first.includes(item.object.kind) ? first.indexOf(item.object.kind) : first.length);
  const applied: { resource: MappedResource; object: KubernetesObject }[] = [];
  let exitCode: number = exitCodes.ok;
  for (const item of work.toSorted((a, b) => rank(a) - rank(b))) {
    try {
      const { outcome, object } = await applyOne(connection, item, flags);
      applied.push({ resource: item.resource, object });
      context.stdout.write(`${nameOf(object)} ${outcome}${flags.dryRun ? ' (dry run)' : ''}\n`);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      report(context, item, error);
      exitCode = exitCodes.error;
    }
  }
  return { exitCode, applied };
}

/** Whether the server would take all of them; what it would not is told. What the others make first (a namespace, a type) is not held against it. */
async function checkAll(context: VerbContext, connection: Connection, work: readonly Work[]): Promise<boolean> {
  const made = new Set(work.map(({ object }) => `${object.kind}/${object.metadata.name}`));
  const hasTypes = work.some(({ object }) => object.kind === 'CustomResourceDefinition');
  let isRight = true;
  for (const item of work) {
    try {
      await applyOne(connection, item, { dryRun: true });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const isMissing = hasReason(error, 'NotFound') && (hasTypes || made.has(`Namespace/${error.details?.name}`));
      if (isMissing) continue;
      report(context, item, error);
      isRight = false;
    }
  }
  if (!isRight) context.stderr.write('  Nothing was applied.\n');
  return isRight;
}

function report(context: VerbContext, item: Work, error: StatusError): void {
  context.stderr.write(`Error from server (${error.reason}): ${item.where}: ${error.message}\n`);
}

async function resolveWork(connection: Connection, manifest: Manifest): Promise<Work> {
  const { object, where } = manifest;
  const { group, version } = parseApiVersion(object.apiVersion);
  const resource = (await connection.mapper()).findKind(group, version, object.kind);
  if (resource === undefined) {
    throw new UsageError(
      `${where}: the server has no kind "${object.kind}" in version "${apiVersionOf({ group, version })}"`,
      'Nothing was applied. kubectl api-resources lists what there is.',
    );
  }
  if (object.metadata.name === undefined)
    throw new UsageError(
      `${where}: ${object.kind}: metadata.name is missing`,
      'Nothing was applied. apply needs a name; kubectl create takes generateName.',
    );
  return { ...manifest, resource, namespace: resource.namespaced ? (object.metadata.namespace ?? connection.namespace) : undefined };
}

async function applyOne(
  connection: Connection,
  { object, resource, namespace }: Work,
  flags: ApplyFlags,
): Promise<{ outcome: Outcome; object: KubernetesObject }> {
  const query = `?fieldManager=berth-apply&fieldValidation=Strict${flags.dryRun ? '&dryRun=All' : ''}`;
  const wanted = withLastApplied({ ...object, metadata: { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) } });
  const path = pathOf(resource, namespace, object.metadata.name);
  for (let attempt = 0; ; attempt++) {
    try {
      const current = await connection.json<KubernetesObject>({ path });
      return await changeOne(connection, resource, path, query, wanted, current);
    } catch (error) {
      if (hasReason(error, 'Conflict') && attempt < 5) continue;
      if (!hasReason(error, 'NotFound') || error.details?.name !== object.metadata.name) throw error;
    }
    try {
      const created = await connection.json<KubernetesObject>({
        method: 'POST',
        path: `${pathOf(resource, namespace)}${query}`,
        contentType: 'application/json',
        body: JSON.stringify(wanted),
      });
      return { outcome: 'created', object: created };
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists') || attempt >= 5) throw error;
    }
  }
}

async function changeOne(
  connection: Connection,
  resource: MappedResource,
  path: string,
  query: string,
  wanted: KubernetesObject,
  current: KubernetesObject,
): Promise<{ outcome: Outcome; object: KubernetesObject }> {
  const typeName = typeTable.nameOfKind(resource.group, resource.version, resource.kind);
  const lastApplied = current.metadata.annotations?.[lastAppliedAnnotation];
  const original = lastApplied === undefined ? undefined : withLastApplied(JSON.parse(lastApplied) as KubernetesObject);
  const patch = computeApplyPatch(typeName, original as never, wanted as never, current as never);
  if (patch === undefined) return { outcome: 'unchanged', object: current };
  const changed = await connection.json<KubernetesObject>({
    method: 'PATCH',
    path: `${path}${query}`,
    contentType: typeName === undefined ? 'application/merge-patch+json' : 'application/strategic-merge-patch+json',
    body: JSON.stringify(patch),
  });
  return { outcome: changed.metadata.resourceVersion === current.metadata.resourceVersion ? 'unchanged' : 'configured', object: changed };
}

/**
 * The object with the annotation that kubectl's apply reads and writes too, to the letter: both can be used on it in turn, and neither sees a change in
 * what the other left.
 */
function withLastApplied(object: KubernetesObject): KubernetesObject {
  const { [lastAppliedAnnotation]: _, ...annotations } = object.metadata.annotations ?? {};
  const bare = { ...object, metadata: { ...object.metadata, annotations } };
  return { ...bare, metadata: { ...bare.metadata, annotations: { ...annotations, [lastAppliedAnnotation]: `${goJson(bare)}\n` } } };
}

/** As Go writes it: keys in order, and what HTML would take for markup escaped. */
function goJson(value: unknown): string {
  return JSON.stringify(sortKeys(value)).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
