/** The subresources that many kinds have: `status` and `scale`. */
import { deepEqual } from './equality.ts';
import { FieldErrors } from './field-errors.ts';
import type { GroupVersionKind, KindDefinition, Subresource } from './kind.ts';
import type { KubernetesObject } from './object.ts';
import { formatLabelSelector } from './selector.ts';
import type { Scale } from './shapes/types/autoscaling-v1.ts';
import type { LabelSelector } from './shapes/types/meta-v1.ts';

interface Statusful extends KubernetesObject {
  spec?: unknown;
  status?: unknown;
}

/** Writes through it change the status alone. */
export function statusSubresource<T extends KubernetesObject>(kind: GroupVersionKind, typeName: string): Subresource<T> {
  return {
    name: 'status',
    kind,
    typeName,
    verbs: ['get', 'patch', 'update'],
    write: (old, body) => {
      const { status: _, ...rest } = old as Statusful;
      const status = (body as Statusful).status;
      return { ...rest, ...(status === undefined ? {} : { status }) } as unknown as T;
    },
  };
}

/** Creating drops the status, updating keeps the old one, and a changed spec is a new generation. */
export function statusRules<T extends KubernetesObject>(): Pick<KindDefinition<T>, 'beforeCreate' | 'beforeUpdate' | 'changesGeneration'> {
  return {
    beforeCreate: (draft) => {
      delete (draft as Statusful).status;
    },
    beforeUpdate: (draft, old) => {
      keepStatus(draft, old);
    },
    changesGeneration: (object, old) => !deepEqual((object as Statusful).spec, (old as Statusful).spec),
  };
}

/** Takes the status over from `old`. */
export function keepStatus(draft: KubernetesObject, old: KubernetesObject): void {
  const status = (old as Statusful).status;
  if (status === undefined) delete (draft as Statusful).status;
  else (draft as Statusful).status = status;
}

interface Scalable extends KubernetesObject {
  spec?: { replicas?: number; selector?: unknown };
  status?: { replicas?: number };
}

/** `autoscaling/v1 Scale` over spec.replicas, status.replicas and spec.selector (a LabelSelector, or a plain map of labels). */
export function scaleSubresource<T extends KubernetesObject>(): Subresource<T> {
  return {
    name: 'scale',
    kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    typeName: 'autoscaling.v1.Scale',
    verbs: ['get', 'patch', 'update'],
    read: (object) => scaleOf(object),
    write: (old, body) => {
      const replicas = (body as Scale).spec?.replicas ?? 0;
      const errors = new FieldErrors();
      if (replicas < 0) errors.invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
      errors.throwIfAny({ group: 'autoscaling', kind: 'Scale' }, old.metadata.name ?? '');
      const { spec } = old as Scalable;
      return spec?.replicas === replicas ? old : { ...old, spec: { ...spec, replicas } };
    },
  };
}

function scaleOf(object: Scalable): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = object.spec?.selector as LabelSelector | Record<string, string> | undefined;
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: object.spec?.replicas ?? 0 },
    status: {
      replicas: object.status?.replicas ?? 0,
      ...(selector === undefined ? {} : { selector: formatLabelSelector(asLabelSelector(selector)) }),
    },
  };
}

function asLabelSelector(selector: LabelSelector | Record<string, string>): LabelSelector {
  const isObject = Object.values(selector).some((value) => typeof value !== 'string');
  return isObject ? selector : { matchLabels: selector as Record<string, string> };
}
