/** What Kubernetes fills into a pod's spec, in templates as in pods. */
import type { Container, HTTPGetAction, PodSpec, Probe, ResourceRequirements, Volume } from '../shapes/types/core-v1.ts';

const defaultFileMode = 0o644;

/** Changes the draft. What only pods get, and templates do not, is `defaultPod`'s. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= 'Always';
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.schedulerName ??= 'default-scheduler';
  spec.terminationGracePeriodSeconds ??= 30;
  // An absent security context makes some clients' debug commands fail.
  spec.securityContext ??= {};
  const account = spec.serviceAccountName ?? spec.serviceAccount;
  if (account !== undefined) {
    spec.serviceAccountName = account;
    spec.serviceAccount = account;
  }
  for (const container of spec.initContainers ?? []) defaultContainer(container, spec.hostNetwork === true);
  for (const container of spec.containers ?? []) defaultContainer(container, spec.hostNetwork === true);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
}

/** What a pod gets beyond its spec's defaults: the service account, and requests from limits. */
export function defaultPod(spec: PodSpec): void {
  spec.serviceAccountName ??= 'default';
  spec.serviceAccount ??= spec.serviceAccountName;
  spec.enableServiceLinks ??= true;
  for (const container of spec.initContainers ?? []) requestLimits(container.resources);
  for (const container of spec.containers ?? []) requestLimits(container.resources);
}

function requestLimits(resources: ResourceRequirements | undefined): void {
  if (resources?.limits === undefined) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

/** Of containers of any sort. Changes the draft. */
export function defaultContainer(container: Container, isHostNetwork: boolean): void {
  container.imagePullPolicy ??= pullsAlways(container.image ?? '') ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  for (const port of container.ports ?? []) {
    port.protocol ??= 'TCP';
    if (isHostNetwork && port.hostPort === undefined) port.hostPort = port.containerPort;
  }
  for (const variable of container.env ?? []) {
    if (variable.valueFrom?.fieldRef !== undefined) variable.valueFrom.fieldRef.apiVersion ??= 'v1';
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe !== undefined) defaultProbe(probe);
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (hook?.httpGet !== undefined) defaultHttpGet(hook.httpGet);
}

/** Images without a tag, and `latest`, are looked for anew at each start. */
function pullsAlways(image: string): boolean {
  if (image.includes('@')) return false;
  const name = image.slice(image.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 || name.slice(colon + 1) === 'latest';
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
}

function defaultHttpGet(action: HTTPGetAction): void {
  action.path ??= '/';
  action.scheme ??= 'HTTP';
}

function defaultVolume(volume: Volume): void {
  if (Object.keys(volume).length <= 1) volume.emptyDir = {};
  if (volume.secret !== undefined) volume.secret.defaultMode ??= defaultFileMode;
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= defaultFileMode;
  if (volume.hostPath !== undefined) volume.hostPath.type ??= '';
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= defaultFileMode;
    for (const item of volume.downwardAPI.items ?? []) if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1';
  }
  if (volume.projected !== undefined) {
    volume.projected.defaultMode ??= defaultFileMode;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= 3600;
      for (const item of source.downwardAPI?.items ?? []) if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1';
    }
  }
}
