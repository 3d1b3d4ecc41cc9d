/**
 * What stands between a valid request and the store: steps that complete an object (`mutate`) and steps that refuse it (`validate`), run
 * in the order of index.ts. Each step is one file and one line there. What a step writes besides the object goes into the object's own commit.
 */
import { groupResourceOf, type KubernetesObject, type ResourceType } from '#api/object';
import { type StatusCause, StatusError } from '#base/errors';
import type { GroupResource } from '#storage/keys';
import type { RequestContext } from '../request-context.ts';

export type Operation = 'create' | 'update' | 'delete';

export interface AdmissionRequest {
  readonly context: RequestContext;
  readonly operation: Operation;
  readonly resource: ResourceType;
  /** `status`, `scale`, …; absent: the object itself. */
  readonly subresource?: string;
  readonly namespace?: string;
  /** Absent for a create whose name is still to be generated. */
  readonly name?: string;
  /** The object as it will be (of a deletion: as it is). Plain data in its stored version; mutating steps of a create or update change it in place. */
  readonly object: KubernetesObject;
  /** The object as it is; frozen. Absent for a create. */
  readonly old?: KubernetesObject;
  readonly dryRun: boolean;
  /** 0, and one more each time the commit failed because something reserved was taken in between. */
  readonly attempt: number;
  /** Writes, or requires, something else in the object's commit. */
  reserve(reservation: Reservation): void;
}

/** An internal key (`internalKey`) in the commit of the object. */
export interface Reservation {
  readonly key: string;
  /** The key must be at this revision (0: not exist); absent: whatever it is. */
  readonly revision?: number;
  /** Written under the key; `delete` removes it; absent: only compared. */
  readonly value?: Uint8Array | 'delete';
  /** What to answer when the key is not at its revision; absent: admission runs again, on what is there then. */
  readonly taken?: StatusError;
  /** Called once when the create that it was reserved for has been decided, or given up. */
  done?(): void;
}

export interface AdmissionStep {
  readonly name: string;
  /** The resources that it looks at; absent: all. */
  readonly resources?: readonly GroupResource[];
  /** Completes the object before it is validated. Not called for deletions. */
  mutate?(request: AdmissionRequest): undefined | void | Promise<void>;
  /** Refuses by throwing a `StatusError`, or warns. */
  validate?(request: AdmissionRequest): undefined | void | Promise<void>;
  /** Internal keys that go with the object when it is removed. */
  released?(object: KubernetesObject): readonly string[];
}

/** Steps sorted out by resource, so that a request meets only those that concern it. */
export class AdmissionChain {
  readonly #steps: readonly AdmissionStep[];
  readonly #byResource = new Map<string, readonly AdmissionStep[]>();

  constructor(steps: readonly AdmissionStep[]) {
    this.#steps = steps;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    for (const step of this.#for(request.resource)) {
      const done = step.mutate?.(request);
      if (done !== undefined) await done;
    }
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const step of this.#for(request.resource)) {
      const done = step.validate?.(request);
      if (done !== undefined) await done;
    }
  }

  released(resource: ResourceType, object: KubernetesObject): readonly string[] {
    return this.#for(resource).flatMap((step) => step.released?.(object) ?? []);
  }

  #for(resource: ResourceType): readonly AdmissionStep[] {
    const id = groupResourceOf(resource);
    let found = this.#byResource.get(id);
    if (found === undefined) {
      found = this.#steps.filter((step) => step.resources === undefined || step.resources.some((one) => groupResourceOf(one) === id));
      this.#byResource.set(id, found);
    }
    return found;
  }
}

/** The 403 of an admission step: `pods "x" is forbidden: why`. */
export function forbidden(
  request: Pick<AdmissionRequest, 'resource' | 'name' | 'object'>,
  why: string,
  causes?: readonly StatusCause[],
): StatusError {
  const { resource } = request;
  const name = request.name ?? request.object.metadata.name ?? '';
  return new StatusError('Forbidden', `${groupResourceOf(resource)} "${name}" is forbidden: ${why}`, {
    details: {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.plural,
      ...(causes === undefined ? {} : { causes }),
    },
  });
}
