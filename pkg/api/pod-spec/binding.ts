/** `pods/binding`: the one way in which a pod is given its node. */
import { formatTime } from '#base/clock';
import { StatusError } from '#base/errors';
import type { Subresource } from '../kind.ts';
import type { Binding, Pod, PodCondition } from '../shapes/types/core-v1.ts';

export const bindingSubresource: Subresource<Pod> = {
  name: 'binding',
  kind: { group: '', version: 'v1', kind: 'Binding' },
  typeName: 'core.v1.Binding',
  verbs: ['create'],
  write: (pod, body, now) => bind(pod, body as Binding, now),
};

function bind(pod: Pod, binding: Binding, now: number): Pod {
  const name = pod.metadata.name ?? '';
  const node = binding.target?.name ?? '';
  if (node === '' || (binding.target.kind !== undefined && binding.target.kind !== 'Node')) {
    throw new StatusError('BadRequest', `binding "${name}" must name a node: target.kind Node and target.name`);
  }
  if (binding.metadata.uid !== undefined && binding.metadata.uid !== pod.metadata.uid) {
    throw conflict(name, `the pod has another UID: ${pod.metadata.uid ?? ''}, not ${binding.metadata.uid}`);
  }
  if (pod.metadata.deletionTimestamp !== undefined) throw conflict(name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== '') {
    throw conflict(name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  }
  const scheduled: PodCondition = { type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(now) };
  const conditions = (pod.status?.conditions ?? []).filter((condition) => condition.type !== 'PodScheduled');
  const { annotations, labels } = binding.metadata;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(annotations === undefined ? {} : { annotations: { ...pod.metadata.annotations, ...annotations } }),
      ...(labels === undefined ? {} : { labels: { ...pod.metadata.labels, ...labels } }),
    },
    spec: { ...pod.spec, nodeName: node },
    status: { ...pod.status, conditions: [...conditions, scheduled] },
  };
}

function conflict(name: string, detail: string): StatusError {
  return new StatusError('Conflict', `Operation cannot be fulfilled on pods/binding "${name}": ${detail}`, {
    details: { name, kind: 'pods/binding' },
  });
}
