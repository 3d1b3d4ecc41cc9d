/** Containers of a pod, or of a template, with what is known of their state. */
import type { Container, ContainerState, ContainerStatus, Probe } from '#api/shapes/types/core-v1';
import { type Line, renderMap } from './sections.ts';

export function describeContainers(containers: readonly Container[], statuses: readonly ContainerStatus[] = []): Line[] {
  return containers.map((container): Line => {
    const status = statuses.find((candidate) => candidate.name === container.name);
    return [
      container.name,
      [
        ['Container ID', status?.containerID],
        ['Image', container.image],
        ['Image ID', status?.imageID],
        [
          'Ports',
          container.ports
            ?.map((port) => `${port.containerPort}/${port.protocol ?? 'TCP'}${port.name === undefined ? '' : ` (${port.name})`}`)
            .join(', '),
        ],
        [
          'Host Ports',
          container.ports?.some((port) => port.hostPort !== undefined)
            ? container.ports.map((port) => `${port.hostPort ?? 0}/${port.protocol ?? 'TCP'}`).join(', ')
            : undefined,
        ],
        ['Command', container.command?.join(' ')],
        ['Args', container.args?.join(' ')],
        ...describeStatus(status),
        ['Limits', container.resources?.limits === undefined ? undefined : renderMap(container.resources.limits, ': ')],
        ['Requests', container.resources?.requests === undefined ? undefined : renderMap(container.resources.requests, ': ')],
        ['Liveness', describeProbe(container.livenessProbe)],
        ['Readiness', describeProbe(container.readinessProbe)],
        ['Startup', describeProbe(container.startupProbe)],
        ['Environment', describeEnvironment(container)],
        [
          'Mounts',
          (container.volumeMounts ?? [])
            .map(
              (mount) =>
                `${mount.mountPath} from ${mount.name} (${mount.readOnly ? 'ro' : 'rw'}${mount.subPath === undefined ? '' : `,path="${mount.subPath}"`})`,
            )
            .join('\n') || '<none>',
        ],
      ],
    ];
  });
}

function describeStatus(status: ContainerStatus | undefined): Line[] {
  if (status === undefined) return [];
  return [
    ['State', describeState(status.state)],
    [
      'Last State',
      status.lastState === undefined || Object.keys(status.lastState).length === 0 ? undefined : describeState(status.lastState),
    ],
    ['Ready', status.ready ? 'True' : 'False'],
    ['Restart Count', String(status.restartCount)],
  ];
}

function describeState(state: ContainerState | undefined): string {
  if (state?.running !== undefined) return `Running\nStarted: ${state.running.startedAt ?? ''}`;
  if (state?.terminated !== undefined) {
    const { reason, message, exitCode, startedAt, finishedAt } = state.terminated;
    return [
      'Terminated',
      `Reason: ${reason ?? ''}`,
      ...(message === undefined ? [] : [`Message: ${message}`]),
      `Exit Code: ${exitCode}`,
      `Started: ${startedAt ?? ''}`,
      `Finished: ${finishedAt ?? ''}`,
    ].join('\n');
  }
  return [
    'Waiting',
    ...(state?.waiting?.reason === undefined ? [] : [`Reason: ${state.waiting.reason}`]),
    ...(state?.waiting?.message === undefined ? [] : [`Message: ${state.waiting.message}`]),
  ].join('\n');
}

function describeProbe(probe: Probe | undefined): string | undefined {
  if (probe === undefined) return undefined;
  const what =
    probe.exec !== undefined
      ? `exec [${(probe.exec.command ?? []).join(' ')}]`
      : probe.httpGet !== undefined
        ? `http-get ${(probe.httpGet.scheme ?? 'HTTP').toLowerCase()}://${probe.httpGet.host ?? ''}:${probe.httpGet.port}${probe.httpGet.path ?? ''}`
        : probe.tcpSocket !== undefined
          ? `tcp-socket ${probe.tcpSocket.host ?? ''}:${probe.tcpSocket.port}`
          : `grpc ${probe.grpc?.port ?? ''}`;
  return `${what} delay=${probe.initialDelaySeconds ?? 0}s timeout=${probe.timeoutSeconds ?? 1}s period=${probe.periodSeconds ?? 10}s #success=${probe.successThreshold ?? 1} #failure=${probe.failureThreshold ?? 3}`;
}

function describeEnvironment(container: Container): string {
  const from = (container.envFrom ?? []).map((source) =>
    source.configMapRef === undefined ? `from secret ${source.secretRef?.name ?? ''}` : `from config map ${source.configMapRef.name ?? ''}`,
  );
  const values = (container.env ?? []).map(({ name, value, valueFrom }) => {
    if (valueFrom === undefined) return `${name}: ${value ?? ''}`;
    if (valueFrom.fieldRef !== undefined) return `${name}: (${valueFrom.fieldRef.fieldPath})`;
    if (valueFrom.secretKeyRef !== undefined)
      return `${name}: <set to the key '${valueFrom.secretKeyRef.key}' in secret '${valueFrom.secretKeyRef.name ?? ''}'>`;
    if (valueFrom.configMapKeyRef !== undefined)
      return `${name}: <set to the key '${valueFrom.configMapKeyRef.key}' of config map '${valueFrom.configMapKeyRef.name ?? ''}'>`;
    return `${name}: (${valueFrom.resourceFieldRef?.resource ?? ''})`;
  });
  return [...from, ...values].join('\n') || '<none>';
}
