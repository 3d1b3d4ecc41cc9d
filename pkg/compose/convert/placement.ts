import { checkLabelValue, checkQualifiedName } from '#api/names';
import type { NodeSelectorRequirement } from '#api/shapes/types/core-v1';
import { ComposeError } from '../compose-error.ts';
import type { Section } from './section.ts';

const attributes: Readonly<Record<string, string>> = {
  'node.hostname': 'kubernetes.io/hostname',
  'node.platform.os': 'kubernetes.io/os',
  'node.platform.arch': 'kubernetes.io/arch',
};
const architectures: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64', armv7l: 'arm' };
const controlPlane = 'node-role.kubernetes.io/control-plane';

/** Constraints on the node, all of which must hold: `node.labels.KEY`, `node.hostname`, `node.role`, `node.platform.os|arch`, with `==` or `!=`. */
export const placement: Section = {
  name: 'placement',
  keys: ['deploy.placement', 'platform'],
  apply({ service, path }, { pod }) {
    const requirements = (service.deploy?.placement?.constraints ?? []).map((text, index) =>
      requirement(text, `${path}.deploy.placement.constraints[${index}]`),
    );
    if (service.platform !== undefined) {
      const [os = '', architecture] = service.platform.split('/');
      requirements.push({ key: 'kubernetes.io/os', operator: 'In', values: [os] });
      if (architecture !== undefined)
        requirements.push({ key: 'kubernetes.io/arch', operator: 'In', values: [architectures[architecture] ?? architecture] });
    }
    if (requirements.length === 0) return;
    pod.affinity = {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: requirements }] } },
    };
  },
};

function requirement(text: string, path: string): NodeSelectorRequirement {
  const match = /^\s*(\S+?)\s*(==|!=)\s*(.*?)\s*$/.exec(text);
  if (match === null) throw new ComposeError(`${JSON.stringify(text)} is no constraint`, { path, next: 'write KEY==VALUE or KEY!=VALUE' });
  const [, subject = '', sign, value = ''] = match;
  const equal = sign === '==';
  if (subject === 'node.role') {
    if (value !== 'manager' && value !== 'worker')
      throw new ComposeError(`unknown role ${JSON.stringify(value)}`, { path, next: 'use manager or worker' });
    return { key: controlPlane, operator: equal === (value === 'manager') ? 'Exists' : 'DoesNotExist' };
  }
  const key = subject.startsWith('node.labels.') ? subject.slice('node.labels.'.length) : attributes[subject];
  if (key === undefined) {
    throw new ComposeError(`constraints on ${subject} are not supported`, {
      path,
      next: 'use node.labels.KEY, node.hostname, node.role or node.platform.os and .arch',
    });
  }
  const fault = checkQualifiedName(key)[0] ?? checkLabelValue(value)[0];
  if (fault !== undefined) throw new ComposeError(`no node has such a label: ${fault}`, { path });
  return { key, operator: equal ? 'In' : 'NotIn', values: [subject === 'node.platform.arch' ? (architectures[value] ?? value) : value] };
}
