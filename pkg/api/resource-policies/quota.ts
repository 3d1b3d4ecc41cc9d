/** What a quota still has room for. Pure. */
import type { KubernetesObject } from '../object.ts';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityOf,
  subtractQuantities,
} from '../quantity.ts';
import type { Pod, ResourceQuotaSpec } from '../shapes/types/core-v1.ts';
import type { Amounts } from './pod-totals.ts';
import { isInScope } from './scopes.ts';
import { usageOf } from './usage.ts';

interface Resource {
  readonly group: string;
  readonly plural: string;
}

/** What the object takes of the quota: the amounts that the quota names. Undefined: the quota is not about it. */
export function chargeOf(spec: ResourceQuotaSpec, resource: Resource, object: KubernetesObject, now: number): Amounts | undefined {
  if (!isInScope(spec, resource, object)) return undefined;
  const usage = usageOf(resource, object, now);
  const named = Object.keys(spec.hard ?? {}).flatMap((name): [string, Quantity][] => {
    const amount = usage.get(name);
    return amount === undefined ? [] : [[name, amount]];
  });
  return named.length === 0 ? undefined : new Map(named);
}

/** What all objects of a namespace take of the quota; an amount for each name, also where nothing is used. */
export function usedOf(
  spec: ResourceQuotaSpec,
  objects: Iterable<{ readonly resource: Resource; readonly object: KubernetesObject }>,
  now: number,
): Map<string, Quantity> {
  const used = new Map(Object.entries(spec.hard ?? {}).map(([name, hard]) => [name, quantityOf(0, parseQuantity(hard).format)]));
  for (const { resource, object } of objects) {
    for (const [name, amount] of chargeOf(spec, resource, object, now) ?? []) {
      used.set(name, addQuantities(used.get(name) ?? quantityOf(0), amount));
    }
  }
  return used;
}

/** What a change from `old` takes more; only what grows. */
export function growth(charge: Amounts, before: Amounts | undefined): Amounts {
  const grown = [...charge].flatMap(([name, amount]): [string, Quantity][] => {
    const difference = subtractQuantities(amount, before?.get(name) ?? quantityOf(0));
    return difference.nano > 0n ? [[name, difference]] : [];
  });
  return new Map(grown);
}

/** The names of what would be exceeded, sorted. */
export function exceeded({ hard = {} }: ResourceQuotaSpec, used: Amounts, charge: Amounts): string[] {
  return [...charge]
    .filter(([name, amount]) => {
      const limit = hard[name];
      return limit !== undefined && compareQuantities(addQuantities(used.get(name) ?? quantityOf(0), amount), parseQuantity(limit)) > 0;
    })
    .map(([name]) => name)
    .toSorted();
}

/** `pods=1,requests.cpu=500m`: of these names, in their order. */
export function formatAmounts(amounts: Amounts, names: readonly string[]): string {
  return names.map((name) => `${name}=${formatQuantity(amounts.get(name) ?? quantityOf(0))}`).join(',');
}

/** `limits.cpu for: main,side; memory for: main`: what containers must say, because the quota bounds it; undefined where they all do. */
export function missingOf({ hard = {} }: ResourceQuotaSpec, { spec }: Pod): string | undefined {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const missing = Object.keys(hard)
    .toSorted()
    .flatMap((name) => {
      const [of, resource] = askedFor(name);
      if (resource === undefined) return [];
      const without = containers.filter(({ resources }) => resources?.[of]?.[resource] === undefined).map((container) => container.name);
      return without.length === 0 ? [] : [`${name} for: ${without.toSorted().join(',')}`];
    });
  return missing.length === 0 ? undefined : missing.join('; ');
}

const compute = new Set(['cpu', 'memory', 'ephemeral-storage']);

function askedFor(name: string): ['requests' | 'limits', string | undefined] {
  const [head, tail] = name.startsWith('limits.')
    ? (['limits', name.slice(7)] as const)
    : (['requests', name.replace(/^requests\./, '')] as const);
  return [head, compute.has(tail) ? tail : undefined];
}
