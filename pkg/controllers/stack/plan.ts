/**
 * The next step towards what a Stack says, from what there is: pure. Invariants: at the goal there is nothing to do; a slot never has two pods; a rolling
 * update stops at most `parallelism` replicas before their successors are ready; a service without its dependencies neither starts nor rolls; volumes are
 * never removed.
 */
import type { ConfigMap, Pod, Secret, Service, ServicePort } from '#api/shapes/types/core-v1';
import type { PlannedService, PlannedStack } from '#compose/convert/convert-stack';
import { hostAddressesAnnotation, networkNamesAnnotation, podName, serviceLabel, slotLabel } from '#compose/convert/names';
import type { ClaimObject, ServiceObject } from '#compose/convert/section';
import { controllerOf, isBeingDeleted, isControlledBy } from '../owner.ts';
import { blockerOf } from './dependencies.ts';
import { type ObservedStack, serviceOf } from './observed.ts';
import type { ServiceView, SlotView } from './service-view.ts';

export type Action =
  | { readonly type: 'create service'; readonly object: ServiceObject }
  | { readonly type: 'update service'; readonly object: Service }
  | { readonly type: 'delete service'; readonly object: Service }
  | { readonly type: 'create claim'; readonly object: ClaimObject }
  | { readonly type: 'adopt'; readonly kind: 'ConfigMap' | 'Secret'; readonly object: ConfigMap | Secret }
  | { readonly type: 'delete content'; readonly kind: 'ConfigMap' | 'Secret'; readonly object: ConfigMap | Secret }
  | { readonly type: 'create pod'; readonly service: PlannedService; readonly slot: number; readonly object: PodDraft }
  /** `force`: its node will not confirm it. */
  | { readonly type: 'delete pod'; readonly object: Pod; readonly reason: string; readonly force: boolean };

export interface PodDraft {
  readonly metadata: { readonly name: string; readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec: Pod['spec'];
}

/** Why a service cannot go on, beside its dependencies: someone else's object has a name that it needs, or a content is not there. */
export type Obstacles = ReadonlyMap<string, string>;

export interface StackPlan {
  readonly actions: readonly Action[];
  readonly obstacles: Obstacles;
}

/** `views` are of the same stack and moment (viewServices). */
export function planStack(desired: PlannedStack, observed: ObservedStack, views: ReadonlyMap<string, ServiceView>): StackPlan {
  if (isBeingDeleted(observed.stack)) return { actions: [], obstacles: new Map() };
  const actions: Action[] = [];
  const obstacles = findObstacles(desired, observed);
  actions.push(...planServiceObjects(desired, observed), ...planClaims(desired, observed), ...planContents(desired, observed));
  for (const pod of observed.pods) {
    const view = views.get(serviceOf(pod));
    if (view === undefined && isControlledBy(pod, observed.stack))
      actions.push(...removal(pod, 'its service is not in the stack any more'));
  }
  for (const view of views.values()) actions.push(...planService(observed, view, views, obstacles));
  return { actions, obstacles };
}

function planService(observed: ObservedStack, view: ServiceView, views: ReadonlyMap<string, ServiceView>, obstacles: Obstacles): Action[] {
  const { service, slots } = view;
  const actions: Action[] = view.strays.flatMap((pod) => removal(pod, 'it has no slot'));
  const own = [...slots.values()].filter(({ pod }) => isControlledBy(pod, observed.stack));
  for (const { slot, pod, state } of own) {
    if (state === 'Lost') actions.push({ type: 'delete pod', object: pod, reason: 'its node is lost, or ended it', force: true });
    else if (slot > service.replicas) actions.push(...removal(pod, 'the service has fewer replicas'));
  }
  if (obstacles.has(service.name) || blockerOf(service, views) !== undefined) return actions;
  const wanted = own.filter(({ slot, state }) => slot <= service.replicas && state !== 'Lost');
  actions.push(...rollOut(service, wanted, slots));
  if (view.completed) return actions;
  for (let slot = 1; slot <= service.replicas; slot++) {
    if (!slots.has(slot)) actions.push({ type: 'create pod', service, slot, object: podDraft(observed, service, slot) });
  }
  return actions;
}

/**
 * Outdated replicas, in the order of their slots: those that serve nothing at once, the others as far as fewer than `parallelism` replicas are on their
 * way.
 */
function rollOut(service: PlannedService, wanted: readonly SlotView[], slots: ReadonlyMap<number, SlotView>): Action[] {
  const outdated = wanted
    .filter(({ current, state }) => !current && state !== 'Terminating')
    .toSorted((left, right) => left.slot - right.slot);
  const serving = outdated.filter(({ state }) => isServing(service, state));
  let underWay = 0;
  for (let slot = 1; slot <= service.replicas; slot++) {
    const view = slots.get(slot);
    if (view === undefined || (view.current ? !isSettled(service, view.state) : !isServing(service, view.state))) underWay++;
  }
  const idle = outdated.filter((view) => !serving.includes(view));
  const next = serving.slice(0, Math.max(0, service.parallelism - underWay));
  return [...idle, ...next].flatMap(({ pod }) => removal(pod, 'its service has changed'));
}

/** Whether a replica does what it is there for: ready, or, without a healthcheck, running. */
function isServing(service: PlannedService, state: SlotView['state']): boolean {
  return state === 'Ready' || (state === 'Running' && !service.hasHealth);
}

/** Nothing more to wait for: it serves, or has ended as it may. */
function isSettled(service: PlannedService, state: SlotView['state']): boolean {
  return isServing(service, state) || state === 'Completed';
}

function removal(pod: Pod, reason: string): Action[] {
  return isBeingDeleted(pod) ? [] : [{ type: 'delete pod', object: pod, reason, force: false }];
}

function podDraft({ stack }: ObservedStack, { name, template }: PlannedService, slot: number): PodDraft {
  return {
    metadata: {
      name: podName(stack.metadata.name ?? '', name, slot),
      labels: { ...template.labels, [slotLabel]: String(slot) },
      ...(Object.keys(template.annotations).length === 0 ? {} : { annotations: template.annotations }),
    },
    spec: template.spec,
  };
}

function findObstacles({ services, configMaps, secrets, serviceObjects }: PlannedStack, observed: ObservedStack): Obstacles {
  const obstacles = new Map<string, string>();
  const present = {
    configMap: new Set(observed.configMaps.map(({ metadata }) => metadata.name)),
    secret: new Set(observed.secrets.map(({ metadata }) => metadata.name)),
  };
  const stackName = observed.stack.metadata.name ?? '';
  for (const service of services) {
    for (const object of observed.services) {
      const ours = serviceObjects.get(object.metadata.name ?? '')?.metadata.labels?.[serviceLabel] === service.name;
      if (ours && !isControlledBy(object, observed.stack)) obstacles.set(service.name, foreign('Service', object));
    }
    for (const pod of observed.pods) {
      const ours = Array.from({ length: service.replicas }, (_, index) => podName(stackName, service.name, index + 1)).includes(
        pod.metadata.name ?? '',
      );
      if (ours && !isControlledBy(pod, observed.stack)) obstacles.set(service.name, foreign('Pod', pod));
    }
    for (const volume of service.template.spec.volumes ?? []) {
      const config = volume.configMap?.name;
      const secret = volume.secret?.secretName;
      if (config !== undefined && configMaps.has(config) && !present.configMap.has(config))
        obstacles.set(service.name, missing('ConfigMap', config));
      if (secret !== undefined && secrets.has(secret) && !present.secret.has(secret))
        obstacles.set(service.name, missing('Secret', secret));
    }
  }
  return obstacles;
}

function foreign(kind: string, object: Pod | Service): string {
  return `${kind} ${object.metadata.name} exists and does not belong to the stack: rename the service, or remove it`;
}

function missing(kind: string, name: string): string {
  return `${kind} ${name} does not exist: apply the Compose file again`;
}

function planServiceObjects({ serviceObjects }: PlannedStack, { services, stack }: ObservedStack): Action[] {
  const actions: Action[] = [];
  for (const [name, object] of serviceObjects) {
    const present = services.find(({ metadata }) => metadata.name === name);
    if (present === undefined) actions.push({ type: 'create service', object });
    else if (isControlledBy(present, stack) && !isBeingDeleted(present)) {
      const updated = updateOf(present, object);
      if (updated !== undefined) actions.push({ type: 'update service', object: updated });
    }
  }
  for (const present of services) {
    if (isControlledBy(present, stack) && !isBeingDeleted(present) && !serviceObjects.has(present.metadata.name ?? '')) {
      actions.push({ type: 'delete service', object: present });
    }
  }
  return actions;
}

/** The Service as it should be, with what the server filled in; undefined where it is so already. */
function updateOf(present: Service, object: ServiceObject): Service | undefined {
  const ports = (object.spec.ports ?? []).map((port) => withNodePort(port, present.spec.ports ?? []));
  const { [hostAddressesAnnotation]: addresses, [networkNamesAnnotation]: names, ...annotations } = present.metadata.annotations ?? {};
  const wanted = object.metadata.annotations ?? {};
  const same =
    covers(object.metadata.labels, present.metadata.labels) &&
    covers(wanted, present.metadata.annotations) &&
    wanted[hostAddressesAnnotation] === addresses &&
    wanted[networkNamesAnnotation] === names &&
    covers({ ...object.spec, ports }, present.spec);
  if (same) return undefined;
  const { ports: _ports, ...spec } = { ...present.spec, ...object.spec };
  return {
    ...present,
    metadata: {
      ...present.metadata,
      labels: { ...present.metadata.labels, ...object.metadata.labels },
      annotations: { ...annotations, ...wanted },
    },
    spec: ports.length === 0 ? spec : { ...spec, ports },
  };
}

function withNodePort(port: ServicePort, present: readonly ServicePort[]): ServicePort {
  const same = present.find((one) => one.port === port.port && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
  return same?.nodePort === undefined ? port : { ...port, nodePort: same.nodePort };
}

/** Whether `present` has all that `wanted` has; lists are as long. */
function covers(wanted: unknown, present: unknown): boolean {
  if (Array.isArray(wanted)) {
    const list = Array.isArray(present) ? present : [];
    return list.length === wanted.length && wanted.every((item, index) => covers(item, list[index]));
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === present;
  const other = (typeof present === 'object' && present !== null ? present : {}) as Record<string, unknown>;
  return Object.entries(wanted).every(([key, item]) => item === undefined || covers(item, other[key]));
}

/** Claims are made and never removed: what they hold outlives the stack, as volumes do with Compose. */
function planClaims({ claims }: PlannedStack, observed: ObservedStack): Action[] {
  const present = new Set(observed.claims.map(({ metadata }) => metadata.name));
  return [...claims].filter(([name]) => !present.has(name)).map(([, object]) => ({ type: 'create claim', object }));
}

/** The stack takes over the contents that it refers to, and removes its own that nothing refers to and no pod has mounted. */
function planContents({ configMaps, secrets }: PlannedStack, observed: ObservedStack): Action[] {
  const mounted = {
    ConfigMap: new Set(observed.pods.flatMap(({ spec }) => (spec.volumes ?? []).map(({ configMap }) => configMap?.name))),
    Secret: new Set(observed.pods.flatMap(({ spec }) => (spec.volumes ?? []).map(({ secret }) => secret?.secretName))),
  };
  const plan = (kind: 'ConfigMap' | 'Secret', objects: readonly (ConfigMap | Secret)[], referred: ReadonlySet<string>): Action[] =>
    objects
      .filter((object) => !isBeingDeleted(object))
      .flatMap((object): Action[] => {
        const name = object.metadata.name ?? '';
        if (referred.has(name)) return controllerOf(object) === undefined ? [{ type: 'adopt', kind, object }] : [];
        return isControlledBy(object, observed.stack) && !mounted[kind].has(name) ? [{ type: 'delete content', kind, object }] : [];
      });
  return [...plan('ConfigMap', observed.configMaps, configMaps), ...plan('Secret', observed.secrets, secrets)];
}
