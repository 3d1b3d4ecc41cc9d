import type { Pod, Volume } from '#api/shapes/types/core-v1';
import { describeContainers } from './containers.ts';
import { defineDescriber } from './describer.ts';
import { type Line, renderMap } from './sections.ts';

export const podDescriber = defineDescriber<Pod>('', 'Pod', (pod): readonly Line[] => {
  const spec = pod.spec ?? { containers: [] };
  const status = pod.status ?? {};
  return [
    ['Priority', spec.priority ?? 0],
    ['Service Account', spec.serviceAccountName],
    ['Node', spec.nodeName === undefined ? '<none>' : `${spec.nodeName}${status.hostIP === undefined ? '' : `/${status.hostIP}`}`],
    ['Start Time', status.startTime],
    ['Status', pod.metadata.deletionTimestamp === undefined ? status.phase : `Terminating (since ${pod.metadata.deletionTimestamp})`],
    ['Reason', status.reason],
    ['Message', status.message],
    ['IP', status.podIP ?? ''],
    ['Controlled By', controllerOf(pod)],
    ...(spec.initContainers === undefined
      ? []
      : [['Init Containers', describeContainers(spec.initContainers, status.initContainerStatuses)] as Line]),
    ['Containers', describeContainers(spec.containers, status.containerStatuses)],
    [
      'Conditions',
      (status.conditions ?? []).map(
        (condition): Line => [
          condition.type,
          `${condition.status}${condition.reason === undefined ? '' : ` (${condition.reason}${condition.message === undefined ? '' : `: ${condition.message}`})`}`,
        ],
      ),
    ],
    ['Volumes', (spec.volumes ?? []).map((volume): Line => [volume.name, describeVolume(volume)])],
    ['QoS Class', status.qosClass],
    ['Node-Selectors', renderMap(spec.nodeSelector)],
    [
      'Tolerations',
      (spec.tolerations ?? [])
        .map(
          (toleration) =>
            `${toleration.key ?? ''}${toleration.value === undefined ? '' : `=${toleration.value}`}${toleration.effect === undefined ? '' : `:${toleration.effect}`}${toleration.operator === 'Exists' ? ' op=Exists' : ''}${toleration.tolerationSeconds === undefined ? '' : ` for ${toleration.tolerationSeconds}s`}`,
        )
        .join('\n') || '<none>',
    ],
  ];
});

function controllerOf(pod: Pod): string | undefined {
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? undefined : `${owner.kind}/${owner.name}`;
}

function describeVolume(volume: Volume): string {
  if (volume.emptyDir !== undefined)
    return `emptyDir${volume.emptyDir.medium === undefined || volume.emptyDir.medium === '' ? '' : ` (${volume.emptyDir.medium})`}`;
  if (volume.hostPath !== undefined) return `hostPath ${volume.hostPath.path}`;
  if (volume.configMap !== undefined) return `configMap ${volume.configMap.name ?? ''}${volume.configMap.optional ? ' (optional)' : ''}`;
  if (volume.secret !== undefined) return `secret ${volume.secret.secretName ?? ''}${volume.secret.optional ? ' (optional)' : ''}`;
  if (volume.persistentVolumeClaim !== undefined)
    return `persistentVolumeClaim ${volume.persistentVolumeClaim.claimName}${volume.persistentVolumeClaim.readOnly ? ' (read only)' : ''}`;
  return Object.keys(volume).find((key) => key !== 'name') ?? '';
}
