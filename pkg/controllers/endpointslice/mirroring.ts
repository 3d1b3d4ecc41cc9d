/** Endpoints that somebody writes for a Service without a selector become EndpointSlices, by which nodes forward. */
import type { KubernetesObject } from '#api/object';
import { endpointSlices, endpoints, services } from '#api/shapes/resources';
import { defineController, mapped, own } from '../controller.ts';
import { isMirrored, mirroredBy, planMirror } from './mirror-plan.ts';
import { managedByLabel, serviceNameLabel } from './plan.ts';

export const endpointsliceMirroring = defineController({
  name: 'endpointslicemirroring',
  watches: () => [own(endpoints), own(services), mapped(endpointSlices, mirrorOf)],
  indexes: (informers) => informers.for(endpointSlices).addIndex('mirror', mirrorOf),
  reconcile: async (key, { client, store }) => {
    const existing = store(endpointSlices).byIndex('mirror', key);
    const object = store(endpoints).get(key);
    const isWanted = object !== undefined && isMirrored(object, store(services).get(key));
    const plan = isWanted ? planMirror(object, existing) : { create: [], update: [], remove: existing };
    for (const slice of plan.create) await client.create(endpointSlices, slice);
    for (const slice of plan.update) await client.update(endpointSlices, slice);
    for (const slice of plan.remove) {
      const { name = '', namespace = '' } = slice.metadata;
      await client.delete(endpointSlices, { name, namespace });
    }
    return undefined;
  },
});

/** The key of the Endpoints that a slice mirrors. */
function mirrorOf({ metadata }: KubernetesObject): string[] {
  const name = metadata.labels?.[serviceNameLabel];
  return name === undefined || metadata.labels?.[managedByLabel] !== mirroredBy ? [] : [`${metadata.namespace}/${name}`];
}
