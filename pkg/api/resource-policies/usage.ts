/** What an object takes of its namespace's quotas. Pure: admission charges by it, and the controller adds up by it. */
import type { KubernetesObject } from '../object.ts';
import { isTerminal } from '../pod-phase.ts';
import { parseQuantity, type Quantity, quantityOf } from '../quantity.ts';
import type { PersistentVolumeClaim, Pod, Service } from '../shapes/types/core-v1.ts';
import { type Amounts, addTo, podTotals } from './pod-totals.ts';

interface Resource {
  readonly group: string;
  readonly plural: string;
}

/** Resources of the core group that quotas name by their plural. */
const counted = new Set(['configmaps', 'persistentvolumeclaims', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services']);

/** By the names that stand in quotas. `now`: milliseconds since 1970; a pod whose time to go is over no longer counts. */
export function usageOf(resource: Resource, object: KubernetesObject, now: number): Amounts {
  const one = quantityOf(1);
  const { group, plural } = resource;
  const usage = new Map<string, Quantity>([[group === '' ? `count/${plural}` : `count/${plural}.${group}`, one]]);
  if (group !== '') return usage;
  if (counted.has(plural)) usage.set(plural, one);
  if (plural === 'pods') addTo(usage, usageOfPod(object as Pod, now));
  else if (plural === 'services') addTo(usage, usageOfService(object as Service));
  else if (plural === 'persistentvolumeclaims') addTo(usage, usageOfClaim(object as PersistentVolumeClaim));
  return usage;
}

/** Whether the pod takes up anything but its name: not once it has ended, or should long be gone. */
export function isCharged(pod: Pod, now: number): boolean {
  const { deletionTimestamp } = pod.metadata;
  return !isTerminal(pod) && (deletionTimestamp === undefined || Date.parse(deletionTimestamp) > now);
}

function usageOfPod(pod: Pod, now: number): Amounts {
  const usage = new Map<string, Quantity>();
  if (!isCharged(pod, now)) return usage;
  usage.set('pods', quantityOf(1));
  for (const [name, amount] of podTotals(pod.spec, 'requests')) {
    usage.set(`requests.${name}`, amount);
    if (isPlain(name)) usage.set(name, amount);
  }
  for (const [name, amount] of podTotals(pod.spec, 'limits')) usage.set(`limits.${name}`, amount);
  return usage;
}

/** Also counted without `requests.` in front. */
function isPlain(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name.startsWith('hugepages-');
}

function usageOfService({ spec }: Service): Amounts {
  const ports = spec.ports?.length ?? 0;
  const isBalanced = spec.type === 'LoadBalancer';
  const hasNodePorts = spec.type === 'NodePort' || (isBalanced && spec.allocateLoadBalancerNodePorts !== false);
  return new Map([
    ['services.nodeports', quantityOf(hasNodePorts ? ports : 0)],
    ['services.loadbalancers', quantityOf(isBalanced ? 1 : 0)],
  ]);
}

function usageOfClaim({ spec, status }: PersistentVolumeClaim): Amounts {
  const text = spec.resources?.requests?.storage ?? status?.capacity?.storage ?? '0';
  const storage = parseQuantity(text);
  const usage = new Map<string, Quantity>([['requests.storage', storage]]);
  const name = spec.storageClassName ?? '';
  if (name !== '') {
    usage.set(`${name}.storageclass.storage.k8s.io/requests.storage`, storage);
    usage.set(`${name}.storageclass.storage.k8s.io/persistentvolumeclaims`, quantityOf(1));
  }
  return usage;
}

/** Which resource's objects make up the usage of what a quota names; undefined for names that nothing uses. */
export function resourceOf(name: string): Resource | undefined {
  if (name.startsWith('count/')) {
    const [plural = '', ...group] = name.slice('count/'.length).split('.');
    return { group: group.join('.'), plural };
  }
  if (name.startsWith('services')) return { group: '', plural: 'services' };
  if (name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/')) return { group: '', plural: 'persistentvolumeclaims' };
  if (counted.has(name)) return { group: '', plural: name };
  const isOfPods = name === 'pods' || isPlain(name) || name.startsWith('requests.') || name.startsWith('limits.');
  return isOfPods ? { group: '', plural: 'pods' } : undefined;
}
