import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import type { Subresource } from '../kind.ts';
import { bindingSubresource } from '../pod-spec/binding.ts';
import { podColumns } from '../pod-spec/columns.ts';
import { defaultPod, defaultPodSpec } from '../pod-spec/defaults.ts';
import { ephemeralContainersSubresource, forbidEphemeralContainers } from '../pod-spec/ephemeral-containers.ts';
import { qosClassOf } from '../pod-spec/quality-of-service.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { validatePodStatusUpdate, validatePodUpdate } from '../pod-spec/update.ts';
import { validatePodAlone } from '../pod-spec/validate.ts';
import type { Pod } from '../shapes/types/core-v1.ts';
import { keepStatus, statusSubresource } from '../subresources.ts';

const self = { group: '', version: 'v1', kind: 'Pod' };

/** A stream to the node that runs the pod. */
function stream(name: string, kind: string, verbs: readonly string[]): Subresource<Pod> {
  return { name, kind: { group: '', version: 'v1', kind }, typeName: undefined, verbs };
}

export const pod = defineKind<Pod>({
  group: '',
  kind: 'Pod',
  description: 'A group of containers that share a network and volumes, and run on one node.',
  support: 'acted on',
  supportNote: 'scheduled, and run by the agent of its node; its fields are in the table below',
  subresources: [
    {
      ...statusSubresource<Pod>(self, 'core.v1.Pod'),
      validate: (object, old) => {
        const errors = new FieldErrors();
        validatePodStatusUpdate(object, old, errors);
        return errors;
      },
    },
    bindingSubresource,
    ephemeralContainersSubresource,
    // A deletion that may be put off: the verbs carry it out.
    { name: 'eviction', kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, typeName: 'policy.v1.Eviction', verbs: ['create'] },
    stream('log', 'Pod', ['get']),
    stream('exec', 'PodExecOptions', ['create', 'get']),
    stream('attach', 'PodAttachOptions', ['create', 'get']),
    stream('portforward', 'PodPortForwardOptions', ['create', 'get']),
  ],
  defaults: (draft) => {
    defaultPodSpec(draft.spec);
    defaultPod(draft.spec);
  },
  beforeCreate: (draft) => {
    draft.status = { phase: 'Pending', qosClass: qosClassOf(draft.spec) };
  },
  beforeUpdate: keepStatus,
  validate: (object) => {
    const errors = new FieldErrors();
    validatePodAlone(object, errors);
    checkPodFields(object.spec, 'spec', errors);
    return errors;
  },
  validateCreate: (object) => {
    const errors = forbidEphemeralContainers(object);
    if ((object.spec.nodeName ?? '') !== '' && (object.spec.schedulingGates ?? []).length > 0) {
      errors.forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared');
    }
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    validatePodUpdate(object, old, errors);
    return errors;
  },
  warnings: (object, old) => (old === undefined ? checkPodFields(object.spec, 'spec') : []),
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (object) => object.spec.nodeName,
    'spec.restartPolicy': (object) => object.spec.restartPolicy,
    'spec.schedulerName': (object) => object.spec.schedulerName,
    'spec.serviceAccountName': (object) => object.spec.serviceAccountName,
    'spec.hostNetwork': (object) => object.spec.hostNetwork ?? false,
    'status.phase': (object) => object.status?.phase,
    'status.podIP': (object) => object.status?.podIPs?.[0]?.ip ?? object.status?.podIP,
    'status.podIPs': (object) => object.status?.podIPs?.map(({ ip }) => ip).join(','),
    'status.nominatedNodeName': (object) => object.status?.nominatedNodeName,
  },
  deletion: {
    gracePeriod: (object, requested) => {
      const { nodeName = '', terminationGracePeriodSeconds = 30 } = object.spec;
      const phase = object.status?.phase;
      if (nodeName === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
      const period = requested ?? terminationGracePeriodSeconds;
      // As in Kubernetes: less than nothing is a second.
      return period < 0 ? 1 : period;
    },
  },
});
