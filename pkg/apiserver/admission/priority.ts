import { pods, priorityClasses } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { PriorityClass } from '#api/shapes/types/scheduling-v1';
import type { WatchCache } from '#storage/watch-cache';
import { type AdmissionStep, forbidden } from './admission.ts';

/** Only one class is the default. A pod's priority is its class's; whoever writes a pod does not choose the number. Without a class: the one marked as default, else 0. */
export function priority(cache: WatchCache): AdmissionStep {
  const classes = cache.resource(priorityClasses);
  return {
    name: 'priority',
    resources: [pods, priorityClasses],
    mutate: async (request) => {
      if (request.subresource !== undefined || request.resource.plural !== pods.plural) return;
      const { spec } = request.object as Pod;
      if (request.operation === 'update') {
        // Whoever writes a pod again as it was made does not know what it was given then.
        const { priority: before, preemptionPolicy } = (request.old as Pod).spec;
        if (before !== undefined) spec.priority ??= before;
        if (preemptionPolicy !== undefined) spec.preemptionPolicy ??= preemptionPolicy;
        return;
      }
      const given = spec.priority;
      const name = spec.priorityClassName ?? '';
      const chosen = name === '' ? await findDefault() : await find(name);
      if (name !== '' && chosen === undefined) throw forbidden(request, `no PriorityClass with name ${name} was found`);
      const value = chosen?.value ?? 0;
      if (given !== undefined && given !== value) {
        throw forbidden(
          request,
          `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        );
      }
      spec.priority = value;
      spec.preemptionPolicy ??= chosen?.preemptionPolicy ?? 'PreemptLowerPriority';
      if (chosen?.metadata.name !== undefined) spec.priorityClassName = chosen.metadata.name;
    },
    validate: async (request) => {
      const { operation, resource, object } = request;
      if (operation === 'delete' || resource.plural !== priorityClasses.plural) return;
      if ((object as PriorityClass).globalDefault !== true) return;
      const { name } = (await findDefault())?.metadata ?? {};
      if (name !== undefined && name !== object.metadata.name) {
        throw forbidden(request, `PriorityClass ${name} is already marked as default. Only one default can exist`);
      }
    },
  };

  async function find(name: string): Promise<PriorityClass | undefined> {
    return (classes.peek({ name }) ?? (await classes.get({ name })))?.object;
  }

  /** Of several defaults the lowest counts, as in Kubernetes. */
  async function findDefault(): Promise<PriorityClass | undefined> {
    const { items } = await classes.list({ at: 'any' });
    let lowest: PriorityClass | undefined;
    for (const item of items) {
      const found = item.object as PriorityClass;
      if (found.globalDefault === true && (lowest === undefined || (found.value ?? 0) < (lowest.value ?? 0))) lowest = found;
    }
    return lowest;
  }
}
