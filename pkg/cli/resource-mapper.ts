/** Finds the resource that a user means by `po`, `pods`, `Pod`, `deployments.apps` or `stacks`, from what the server's discovery says. */
import type { ResourceType } from '#api/object';
import { UsageError } from './verb.ts';

/** `apidiscovery.k8s.io/v2 APIGroupDiscoveryList`, as far as it is read here. */
export interface DiscoveryDocument {
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly responseKind?: { readonly kind: string };
        readonly scope: 'Namespaced' | 'Cluster';
        readonly singularResource?: string;
        readonly shortNames?: readonly string[];
        readonly categories?: readonly string[];
        readonly verbs: readonly string[];
      }[];
    }[];
  }[];
}

export interface MappedResource extends ResourceType {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
}

export class ResourceMapper {
  readonly resources: readonly MappedResource[];

  /** Documents in the order in which the server prefers them: core first. */
  constructor(documents: readonly DiscoveryDocument[]) {
    this.resources = documents.flatMap((document) =>
      document.items.flatMap((group) =>
        group.versions.flatMap((version) =>
          (version.resources ?? []).map((resource) => ({
            group: group.metadata.name ?? '',
            version: version.version,
            plural: resource.resource,
            kind: resource.responseKind?.kind ?? '',
            namespaced: resource.scope === 'Namespaced',
            singular: resource.singularResource ?? '',
            shortNames: resource.shortNames ?? [],
            categories: resource.categories ?? [],
            verbs: resource.verbs,
          })),
        ),
      ),
    );
  }

  /** The resources that a word of the command line names: one, or all of a category such as `all`. Throws `UsageError` with the nearest names. */
  find(word: string): readonly MappedResource[] {
    const lower = word.toLowerCase();
    const [name = '', ...groupParts] = lower.split('.');
    const group = groupParts.join('.');
    const named = this.resources.find(
      (resource) =>
        (resource.plural === name ||
          resource.singular === name ||
          resource.shortNames.includes(name) ||
          resource.kind.toLowerCase() === name) &&
        (group === '' || resource.group === group || `${resource.version}.${resource.group}` === group),
    );
    if (named !== undefined) return [named];
    const category = this.resources.filter((resource) => resource.categories.includes(lower));
    if (category.length > 0)
      return category.filter(
        (resource, index) => category.findIndex((other) => other.plural === resource.plural && other.group === resource.group) === index,
      );
    const near = this.#nearest(name);
    throw new UsageError(
      `the server doesn't have a resource type "${word}"`,
      near === undefined ? 'kubectl api-resources lists what there is.' : `Did you mean "${near}"?`,
    );
  }

  /** The resource of a manifest's `apiVersion` and `kind`; undefined where the server has none. */
  findKind(group: string, version: string, kind: string): MappedResource | undefined {
    return this.resources.find((resource) => resource.group === group && resource.version === version && resource.kind === kind);
  }

  #nearest(word: string): string | undefined {
    const names = this.resources.flatMap((resource) => [resource.plural, resource.singular]).filter((name) => name !== '');
    const ranked = names.map((name) => ({ name, distance: editDistance(word, name) })).toSorted((a, b) => a.distance - b.distance);
    return ranked[0] !== undefined && ranked[0].distance <= 2 ? ranked[0].name : undefined;
  }
}

/** Levenshtein's distance of two short words. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length]!;
}
