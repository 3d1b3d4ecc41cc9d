import type { KindDefinition, KindVersion } from './kind.ts';
import { checkDns1123Subdomain } from './names.ts';
import type { KubernetesObject } from './object.ts';
import { type ResourceDescription, resourceTable } from './shapes/resource-table.ts';
import { scaleSubresource, statusRules, statusSubresource } from './subresources.ts';
import { nameAndAge } from './table-columns.ts';

/** What a kind file says; the rest follows from the resource table, or has a default. An explicit undefined takes away a rule that has one. */
export type KindInput<T extends KubernetesObject> = { readonly [K in keyof KindDefinition<T>]?: KindDefinition<T>[K] | undefined } & Pick<
  KindDefinition<T>,
  'group' | 'kind'
>;

/**
 * Completes a definition. A kind that the resource table has takes its names, scope, versions and verbs from there, and with them a `status` or `scale`
 * subresource; any other must give names, scope and versions itself. Not given: names that are DNS subdomains, columns Name and Age, stored only (of
 * which whoever creates one is warned).
 */
export function defineKind<T extends KubernetesObject>(input: KindInput<T>): KindDefinition<T> {
  const facts = resourceTable.filter((resource) => resource.stored && resource.group === input.group && resource.kind === input.kind);
  const [first] = facts;
  const versions = input.versions ?? versionsOf<T>(facts);
  const names =
    input.names ??
    (first && { plural: first.plural, singular: first.kind.toLowerCase(), shortNames: first.shortNames, categories: first.categories });
  const scope = input.scope ?? (first && (first.namespaced ? 'Namespaced' : 'Cluster'));
  if (versions === undefined || names === undefined || scope === undefined) {
    throw new Error(`the resource table does not have ${input.kind}: its definition must give names, scope and versions`);
  }
  const known = new Set(first?.subresources.map((one) => one.name));
  const self = { group: versions[0].group ?? input.group, version: versions[0].version, kind: input.kind };
  const standard: Partial<KindDefinition<T>> = {
    verbs: first?.verbs ?? allVerbs,
    subresources: [
      ...(known.has('status') ? [statusSubresource<T>(self, versions[0].typeName)] : []),
      ...(known.has('scale') ? [scaleSubresource<T>()] : []),
    ],
    ...(known.has('status') ? statusRules<T>() : {}),
    nameRule: checkDns1123Subdomain,
    columns: nameAndAge,
    selectableFields: {},
    support: 'stored only',
    ...(input.support === 'acted on'
      ? {}
      : { warnings: (_object, old) => (old === undefined ? [`${input.kind} is stored only: nothing acts on it yet`] : []) }),
  };
  return { ...standard, ...input, versions, names, scope } as KindDefinition<T>;
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

function versionsOf<T extends KubernetesObject>(facts: readonly ResourceDescription[]): KindDefinition<T>['versions'] | undefined {
  const [first, ...rest] = facts.map((fact): KindVersion<T> => ({ version: fact.version, typeName: fact.type }));
  return first && [first, ...rest];
}
