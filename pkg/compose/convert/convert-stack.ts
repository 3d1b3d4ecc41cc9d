/**
 * A Stack → what must exist for it: for each service its pod template with a hash, replicas and dependencies, its Services and claims. Pure: the Stack
 * controller compares this with the world. Throws ComposeError for what cannot be done, with its path.
 */
import { shortHash } from '#api/hash';
import type { PodSpec } from '#api/shapes/types/core-v1';
import { ComposeError } from '../compose-error.ts';
import { replicasOf } from '../load/consistency.ts';
import type { ComposeProject, DependencyCondition, Service } from '../model.ts';
import { probeOf } from './healthcheck.ts';
import { sections } from './index.ts';
import { objectName, serviceLabels, templateHashLabel } from './names.ts';
import { protocolOf, publishedPortOf } from './ports.ts';
import type { ClaimObject, Section, ServiceDraft, ServiceObject } from './section.ts';

export interface PodTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  /** Over all of the template, names of configs and secrets included; equal templates have equal hashes. */
  readonly hash: string;
}

export interface PlannedService {
  readonly name: string;
  readonly replicas: number;
  readonly template: PodTemplate;
  /** Whether it has a healthcheck; without one, running is all that is known. */
  readonly hasHealth: boolean;
  readonly dependencies: readonly { readonly service: string; readonly condition: DependencyCondition; readonly required: boolean }[];
  /** How many replicas are replaced at once. */
  readonly parallelism: number;
  readonly ports: readonly {
    readonly target: number;
    readonly protocol: string;
    readonly published?: number;
    readonly hostAddress?: string;
  }[];
}

export interface PlannedStack {
  /** In the order of the file. */
  readonly services: readonly PlannedService[];
  /** By name. */
  readonly serviceObjects: ReadonlyMap<string, ServiceObject>;
  readonly claims: ReadonlyMap<string, ClaimObject>;
  /** Names of the ConfigMaps and Secrets of the stack's own that it refers to. */
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

export interface StackIdentity {
  readonly name: string;
  readonly namespace: string;
}

export function convertStack(identity: StackIdentity, project: ComposeProject, list: readonly Section[] = sections): PlannedStack {
  const services: PlannedService[] = [];
  const serviceObjects = new Map<string, ServiceObject>();
  const claims = new Map<string, ClaimObject>();
  const owners = new Map<string, string>();
  for (const [name, service] of Object.entries(project.services)) {
    const path = `services.${name}`;
    const objects = objectName(name, path);
    const other = owners.get(objects);
    if (other !== undefined)
      throw new ComposeError(`its objects would have the names of those of service "${other}"`, { path, next: 'rename one of them' });
    owners.set(objects, name);
    const draft = emptyDraft(identity, name, objects);
    for (const section of list) section.apply({ stack: identity.name, namespace: identity.namespace, project, name, service, path }, draft);
    services.push(plannedService(name, service, draft));
    for (const [key, object] of draft.services) {
      if (serviceObjects.has(key))
        throw new ComposeError(`its Service ${key} has the name of another service's`, { path, next: 'rename one of them' });
      serviceObjects.set(key, object);
    }
    for (const [key, claim] of draft.claims) claims.set(key, claim);
  }
  return { services, serviceObjects, claims, configMaps: ownObjects(project.configs), secrets: ownObjects(project.secrets) };
}

function emptyDraft({ name: stack }: StackIdentity, service: string, containerName: string): ServiceDraft {
  const container = { name: containerName };
  return {
    podLabels: serviceLabels(stack, service),
    podAnnotations: {},
    pod: { containers: [container], enableServiceLinks: false, automountServiceAccountToken: false },
    container,
    services: new Map(),
    claims: new Map(),
  };
}

function plannedService(name: string, service: Service, { podLabels, podAnnotations, pod }: ServiceDraft): PlannedService {
  const hash = shortHash({ labels: podLabels, annotations: podAnnotations, spec: pod });
  const parallelism = service.deploy?.update_config?.parallelism ?? 1;
  const replicas = replicasOf(service);
  if (!Number.isInteger(replicas) || replicas < 0)
    throw new ComposeError(`${String(replicas)} is no number of replicas`, { path: `services.${name}.deploy.replicas` });
  return {
    name,
    replicas,
    template: { labels: { ...podLabels, [templateHashLabel]: hash }, annotations: podAnnotations, spec: pod, hash },
    hasHealth: probeOf(service.healthcheck) !== undefined,
    dependencies: Object.entries(service.depends_on ?? {}).map(([other, { condition, required }]) => ({
      service: other,
      condition,
      required: required,
    })),
    // Zero is all at once, as in Compose.
    parallelism: parallelism === 0 ? Number.POSITIVE_INFINITY : parallelism,
    ports: (service.ports ?? []).map((port) => {
      const published = publishedPortOf(port);
      return {
        target: port.target ?? 0,
        protocol: protocolOf(port),
        ...(published === undefined ? {} : { published }),
        ...(port.host_ip === undefined || port.host_ip === '' ? {} : { hostAddress: port.host_ip }),
      };
    }),
  };
}

function ownObjects(objects: ComposeProject['configs']): Set<string> {
  return new Set(
    Object.values(objects ?? {}).flatMap(({ object, external }) => (object === undefined || external === true ? [] : [object])),
  );
}
