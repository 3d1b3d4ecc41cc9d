/**
 * Quotas: nothing is created in a namespace that would take more of a quota than it has. Invariant: what a quota was charged stands under an internal
 * key that is written in the created object's own commit, and only if nobody charged it in between; so it is never below what is used, however many create
 * at once on however many servers. It may be above, because deletions do not give back: then the objects themselves are added up again.
 * What the quota's status shows is the controller's.
 */
import { groupResourceOf, type KubernetesObject } from '#api/object';
import { formatQuantity, parseQuantity, type Quantity } from '#api/quantity';
import type { Amounts } from '#api/resource-policies/pod-totals';
import { chargeOf, exceeded, formatAmounts, growth, missingOf, usedOf } from '#api/resource-policies/quota';
import { resourceOf } from '#api/resource-policies/usage';
import { persistentVolumeClaims, pods, resourceQuotas, services } from '#api/shapes/resources';
import type { Pod, ResourceQuota } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import type { Backend } from '#storage/backend';
import { type GroupResource, internalKey } from '#storage/keys';
import { decodeJson, encodeJson } from '#storage/values';
import type { WatchCache } from '#storage/watch-cache';
import { type AdmissionRequest, type AdmissionStep, forbidden } from './admission.ts';
import { Turns } from './turns.ts';

export interface QuotaOptions {
  readonly cache: WatchCache;
  readonly backend: Backend;
  readonly clock: Clock;
}

/** What can take more by being changed. */
const growing: ReadonlySet<string> = new Set([services, persistentVolumeClaims].map(groupResourceOf));

export function resourceQuotaStep(options: QuotaOptions): AdmissionStep {
  const { cache, clock } = options;
  const quotas = cache.resource(resourceQuotas);
  const turns = new Turns();

  const judge = async (request: AdmissionRequest, namespace: string): Promise<void> => {
    const { operation, resource, object, old } = request;
    const { items } = await quotas.list({ namespace, at: 'any' });
    const charges = items.flatMap((item): Charge[] => {
      const quota = item.object as ResourceQuota;
      const charge = chargeOf(quota.spec, resource, object, clock.now());
      if (charge === undefined) return [];
      const more = growth(charge, old === undefined ? undefined : chargeOf(quota.spec, resource, old, clock.now()));
      return more.size === 0 ? [] : [{ quota, charge: more }];
    });
    if (charges.length === 0) return;
    if (groupResourceOf(resource) === groupResourceOf(pods)) requireAmounts(request, charges);
    // Those that create at once would only fail each other's commits: one after the other.
    const release = operation === 'create' && !request.dryRun ? await turns.take(namespace) : () => undefined;
    try {
      for (const [index, each] of charges.entries()) await charge(request, each, index === 0 ? release : () => undefined, options);
    } catch (error) {
      release();
      throw error;
    }
  };

  return {
    name: 'resource-quotas',
    validate: (request) => {
      const { namespace, operation, subresource, resource } = request;
      if (quotas.size === 0 || namespace === undefined || subresource !== undefined || operation === 'delete') return undefined;
      if (operation === 'update' && !growing.has(groupResourceOf(resource))) return undefined;
      return judge(request, namespace);
    },
    released: (object) => (object.kind === 'ResourceQuota' ? [keyOf(object)] : []),
  };
}

interface Charge {
  readonly quota: ResourceQuota;
  readonly charge: Amounts;
}

function keyOf({ metadata }: KubernetesObject): string {
  return internalKey('quota', metadata.namespace ?? '', metadata.name ?? '', metadata.uid ?? '');
}

/** What is bounded must be said, or the bound could not be kept. */
function requireAmounts(request: AdmissionRequest, charges: readonly Charge[]): void {
  for (const { quota } of charges) {
    const missing = missingOf(quota.spec, request.object as Pod);
    if (missing !== undefined) throw forbidden(request, `failed quota: ${quota.metadata.name}: must specify ${missing}`);
  }
}

async function charge(request: AdmissionRequest, { quota, charge: more }: Charge, done: () => void, options: QuotaOptions): Promise<void> {
  const key = keyOf(quota);
  const { item } = await options.backend.get(key);
  let used = item === undefined ? undefined : chargedOf(item.value);
  const knowsAll = used !== undefined && [...more.keys()].every((name) => used?.has(name));
  if (used === undefined || !knowsAll || exceeded(quota.spec, used, more).length > 0) {
    used = await addUp(quota, options);
    const over = exceeded(quota.spec, used, more);
    if (over.length > 0) {
      const limits = new Map(Object.entries(quota.spec.hard ?? {}).map(([name, limit]) => [name, parseQuantity(limit)]));
      const [requested, present, limited] = [more, used, limits].map((amounts) => formatAmounts(amounts, over));
      throw forbidden(request, `exceeded quota: ${quota.metadata.name}, requested: ${requested}, used: ${present}, limited: ${limited}`);
    }
  }
  if (request.dryRun) return;
  const charged = new Map(used);
  for (const [name, amount] of more) {
    const present = charged.get(name);
    charged.set(name, present === undefined ? amount : { ...present, nano: present.nano + amount.nano });
  }
  const value = encodeJson(Object.fromEntries([...charged].map(([name, amount]) => [name, formatQuantity(amount)])));
  request.reserve({ key, revision: item?.revision ?? 0, value, done });
}

function chargedOf(value: Uint8Array): Map<string, Quantity> {
  const read = decodeJson(value) as Readonly<Record<string, string>>;
  return new Map(Object.entries(read).map(([name, text]) => [name, parseQuantity(text)]));
}

/** Everything that was committed before this was asked is in it. */
async function addUp({ spec, metadata }: ResourceQuota, { cache, clock }: QuotaOptions): Promise<Map<string, Quantity>> {
  const resources = new Map<string, GroupResource>();
  for (const name of Object.keys(spec.hard ?? {})) {
    const resource = resourceOf(name);
    if (resource !== undefined) resources.set(groupResourceOf(resource), resource);
  }
  const lists = [...resources.values()].map(async (resource) => {
    const { items } = await cache.resource(resource).list({ namespace: metadata.namespace });
    return items.map(({ object }) => ({ resource, object }));
  });
  return usedOf(spec, (await Promise.all(lists)).flat(), clock.now());
}
