/** One service as it is: its pods by slot, measured against its template. Pure; plan and status are both made from it. */
import type { Pod } from '#api/shapes/types/core-v1';
import type { PlannedService } from '#compose/convert/convert-stack';
import { hashOf, type ObservedStack, type PodState, podStateOf, previousStatus, serviceOf, slotOf } from './observed.ts';

export interface SlotView {
  readonly slot: number;
  readonly pod: Pod;
  readonly state: PodState;
  /** Whether it was made from the template as it is now. */
  readonly current: boolean;
}

export interface ServiceView {
  readonly service: PlannedService;
  /** By slot; also those beyond the number of replicas. */
  readonly slots: ReadonlyMap<number, SlotView>;
  /** Pods without a slot, or second ones in it. */
  readonly strays: readonly Pod[];
  /** The template has run to its end in every replica: now, or once, as the status remembers. */
  readonly completed: boolean;
  /** Replicas that run the current template. */
  readonly started: number;
  /** Replicas, of any template, that are ready. */
  readonly ready: number;
  /** Ready replicas of the current template. */
  readonly readyCurrent: number;
  readonly completedCurrent: number;
  readonly failed: readonly SlotView[];
}

export function viewServices(services: readonly PlannedService[], observed: ObservedStack): Map<string, ServiceView> {
  const pods = new Map<string, Pod[]>();
  for (const pod of observed.pods) pods.set(serviceOf(pod), [...(pods.get(serviceOf(pod)) ?? []), pod]);
  return new Map(services.map((service) => [service.name, viewService(service, pods.get(service.name) ?? [], observed)]));
}

function viewService(service: PlannedService, pods: readonly Pod[], observed: ObservedStack): ServiceView {
  const slots = new Map<number, SlotView>();
  const strays: Pod[] = [];
  for (const pod of pods) {
    const slot = slotOf(pod);
    if (slot === 0 || slots.has(slot)) strays.push(pod);
    else
      slots.set(slot, { slot, pod, state: podStateOf(pod, observed.nodes, observed.now), current: hashOf(pod) === service.template.hash });
  }
  const wanted = [...slots.values()].filter(({ slot }) => slot <= service.replicas);
  const current = wanted.filter((view) => view.current);
  const count = (views: readonly SlotView[], ...states: readonly PodState[]): number =>
    views.filter(({ state }) => states.includes(state)).length;
  const completedCurrent = count(current, 'Completed');
  const before = previousStatus(observed.stack, service.name);
  const remembered = before?.finishedHash === service.template.hash && (before.completed ?? 0) >= service.replicas;
  return {
    service,
    slots,
    strays,
    completed: service.replicas > 0 && (remembered || completedCurrent === service.replicas),
    started: count(current, 'Ready', 'Running', 'Completed'),
    ready: count(wanted, 'Ready'),
    readyCurrent: count(current, 'Ready'),
    completedCurrent,
    failed: current.filter(({ state }) => state === 'Failed'),
  };
}
