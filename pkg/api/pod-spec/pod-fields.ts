/**
 * What Berth does about each field of a pod's spec: the one table that admission refuses and warns by, and that docs/compatibility.md is written from.
 * By type, because types come back in many places. A field that is honoured and has a type of its own is followed into it; a test demands that every field
 * of every type that can be reached so has its line.
 */

export interface FieldSupport {
  /** `warned`: accepted, and without effect. */
  readonly support: 'honoured' | 'refused' | 'warned';
  /** Why, and what to do instead. */
  readonly reason?: string;
  /** Only these values are refused or warned of, all others honoured; `values` says so in words for the documentation. `owner` has the field. */
  readonly when?: (value: unknown, owner: object) => boolean;
  readonly values?: string;
}

const honoured: FieldSupport = { support: 'honoured' };
const refused = (reason: string): FieldSupport => ({ support: 'refused', reason });
const warned = (reason: string): FieldSupport => ({ support: 'warned', reason });

/** Refused or warned of for some values alone. */
function only(support: FieldSupport, values: string, when: (value: unknown, owner: object) => boolean): FieldSupport {
  return { ...support, values, when };
}

const isTrue = (value: unknown): boolean => value === true;
const is =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);

function typeIs(...types: readonly string[]) {
  return (value: unknown): boolean => typeof value === 'object' && value !== null && 'type' in value && types.includes(String(value.type));
}

/** What containers of every sort have. */
const containerFields = {
  args: honoured,
  command: honoured,
  env: honoured,
  envFrom: honoured,
  image: honoured,
  imagePullPolicy: honoured,
  lifecycle: honoured,
  livenessProbe: honoured,
  name: honoured,
  ports: honoured,
  readinessProbe: honoured,
  resizePolicy: warned('resources of a running pod are not changed'),
  resources: honoured,
  restartPolicy: honoured,
  restartPolicyRules: refused('use the restartPolicy of the pod'),
  securityContext: honoured,
  startupProbe: honoured,
  stdin: honoured,
  stdinOnce: honoured,
  terminationMessagePath: honoured,
  terminationMessagePolicy: honoured,
  tty: honoured,
  volumeDevices: refused('volumes are given to containers as folders'),
  volumeMounts: honoured,
  workingDir: honoured,
} satisfies Record<string, FieldSupport>;

const appArmor = only(refused('profiles of AppArmor are not loaded on nodes yet'), 'type Localhost', typeIs('Localhost'));
const seLinux = warned('nodes do not label with SELinux: the options have no effect');
const seccomp = only(refused('profiles of seccomp are not loaded on nodes yet: use RuntimeDefault'), 'type Localhost', typeIs('Localhost'));
const windows = refused('nodes run Linux');
const devices = refused('devices are not claimed for pods yet');
const otherVolume = refused('use a persistentVolumeClaim, or a hostPath on which the node has mounted it');

export const podFields: Readonly<Record<string, Readonly<Record<string, FieldSupport>>>> = {
  'core.v1.PodSpec': {
    activeDeadlineSeconds: honoured,
    affinity: honoured,
    automountServiceAccountToken: only(warned('no token is mounted into pods yet'), 'true', isTrue),
    berth: honoured,
    containers: honoured,
    dnsConfig: honoured,
    dnsPolicy: honoured,
    enableServiceLinks: honoured,
    ephemeralContainers: honoured,
    hostAliases: honoured,
    hostIPC: honoured,
    hostNetwork: honoured,
    hostPID: honoured,
    hostUsers: only(refused('user namespaces are not made yet'), 'false', is(false)),
    hostname: honoured,
    hostnameOverride: refused('use hostname'),
    imagePullSecrets: honoured,
    initContainers: honoured,
    nodeName: honoured,
    nodeSelector: honoured,
    os: honoured,
    overhead: refused('there are no runtime classes that have an overhead'),
    preemptionPolicy: honoured,
    priority: honoured,
    priorityClassName: honoured,
    readinessGates: honoured,
    resourceClaims: devices,
    resources: refused('resources are set on each container'),
    restartPolicy: honoured,
    runtimeClassName: refused('nodes have one runtime'),
    schedulerName: honoured,
    schedulingGates: honoured,
    schedulingGroup: refused('pods are scheduled one by one'),
    securityContext: honoured,
    serviceAccount: honoured,
    serviceAccountName: honoured,
    setHostnameAsFQDN: only(refused('set hostname'), 'true', isTrue),
    shareProcessNamespace: honoured,
    subdomain: honoured,
    terminationGracePeriodSeconds: honoured,
    tolerations: honoured,
    topologySpreadConstraints: honoured,
    volumes: honoured,
  },
  'berth.v1.PodExtension': { maxRestarts: honoured, networks: honoured },
  'berth.v1.ContainerExtension': {
    stopSignal: refused('the signal cannot be set for a container yet: set STOPSIGNAL in the image'),
    user: honoured,
  },
  'core.v1.PodOS': { name: only(refused('nodes run Linux'), 'windows', is('windows')) },
  'core.v1.PodDNSConfig': { nameservers: honoured, options: honoured, searches: honoured },
  'core.v1.PodDNSConfigOption': { name: honoured, value: honoured },
  'core.v1.HostAlias': { hostnames: honoured, ip: honoured },
  'core.v1.LocalObjectReference': { name: honoured },
  'core.v1.PodReadinessGate': { conditionType: honoured },
  'core.v1.PodSchedulingGate': { name: honoured },
  'core.v1.PodSecurityContext': {
    appArmorProfile: appArmor,
    fsGroup: honoured,
    fsGroupChangePolicy: honoured,
    runAsGroup: honoured,
    runAsNonRoot: honoured,
    runAsUser: honoured,
    seLinuxChangePolicy: seLinux,
    seLinuxOptions: seLinux,
    seccompProfile: seccomp,
    supplementalGroups: honoured,
    supplementalGroupsPolicy: only(refused('groups of the image are always merged'), 'Strict', is('Strict')),
    sysctls: honoured,
    windowsOptions: windows,
  },
  'core.v1.AppArmorProfile': { localhostProfile: honoured, type: honoured },
  'core.v1.SeccompProfile': { localhostProfile: honoured, type: honoured },
  'core.v1.Sysctl': { name: honoured, value: honoured },
  'core.v1.Toleration': { effect: honoured, key: honoured, operator: honoured, tolerationSeconds: honoured, value: honoured },
  'core.v1.TopologySpreadConstraint': {
    labelSelector: honoured,
    matchLabelKeys: honoured,
    maxSkew: honoured,
    minDomains: honoured,
    nodeAffinityPolicy: honoured,
    nodeTaintsPolicy: honoured,
    topologyKey: honoured,
    whenUnsatisfiable: honoured,
  },
  'core.v1.Affinity': { nodeAffinity: honoured, podAffinity: honoured, podAntiAffinity: honoured },
  'core.v1.NodeAffinity': {
    preferredDuringSchedulingIgnoredDuringExecution: honoured,
    requiredDuringSchedulingIgnoredDuringExecution: honoured,
  },
  'core.v1.NodeSelector': { nodeSelectorTerms: honoured },
  'core.v1.NodeSelectorTerm': { matchExpressions: honoured, matchFields: honoured },
  'core.v1.NodeSelectorRequirement': { key: honoured, operator: honoured, values: honoured },
  'core.v1.PreferredSchedulingTerm': { preference: honoured, weight: honoured },
  'core.v1.PodAffinity': {
    preferredDuringSchedulingIgnoredDuringExecution: honoured,
    requiredDuringSchedulingIgnoredDuringExecution: honoured,
  },
  'core.v1.PodAntiAffinity': {
    preferredDuringSchedulingIgnoredDuringExecution: honoured,
    requiredDuringSchedulingIgnoredDuringExecution: honoured,
  },
  'core.v1.PodAffinityTerm': {
    labelSelector: honoured,
    matchLabelKeys: honoured,
    mismatchLabelKeys: honoured,
    namespaceSelector: honoured,
    namespaces: honoured,
    topologyKey: honoured,
  },
  'core.v1.WeightedPodAffinityTerm': { podAffinityTerm: honoured, weight: honoured },
  'meta.v1.LabelSelector': { matchExpressions: honoured, matchLabels: honoured },
  'meta.v1.LabelSelectorRequirement': { key: honoured, operator: honoured, values: honoured },
  'core.v1.Container': { ...containerFields, berth: honoured },
  'core.v1.EphemeralContainer': { ...containerFields, targetContainerName: honoured },
  'core.v1.ContainerPort': { containerPort: honoured, hostIP: honoured, hostPort: honoured, name: honoured, protocol: honoured },
  'core.v1.EnvVar': { name: honoured, value: honoured, valueFrom: honoured },
  'core.v1.EnvVarSource': {
    configMapKeyRef: honoured,
    fieldRef: honoured,
    fileKeyRef: refused('use a config map or a secret'),
    resourceFieldRef: honoured,
    secretKeyRef: honoured,
  },
  'core.v1.EnvFromSource': { configMapRef: honoured, prefix: honoured, secretRef: honoured },
  'core.v1.ConfigMapEnvSource': { name: honoured, optional: honoured },
  'core.v1.SecretEnvSource': { name: honoured, optional: honoured },
  'core.v1.ConfigMapKeySelector': { key: honoured, name: honoured, optional: honoured },
  'core.v1.SecretKeySelector': { key: honoured, name: honoured, optional: honoured },
  'core.v1.ObjectFieldSelector': { apiVersion: honoured, fieldPath: honoured },
  'core.v1.ResourceFieldSelector': { containerName: honoured, divisor: honoured, resource: honoured },
  'core.v1.ResourceRequirements': { claims: devices, limits: honoured, requests: honoured },
  'core.v1.Lifecycle': {
    postStart: honoured,
    preStop: honoured,
    stopSignal: refused('the signal cannot be set for a container yet: set STOPSIGNAL in the image'),
  },
  'core.v1.LifecycleHandler': {
    exec: honoured,
    httpGet: honoured,
    sleep: honoured,
    tcpSocket: refused('a hook is a command or an HTTP request'),
  },
  'core.v1.Probe': {
    exec: honoured,
    failureThreshold: honoured,
    grpc: honoured,
    httpGet: honoured,
    initialDelaySeconds: honoured,
    periodSeconds: honoured,
    successThreshold: honoured,
    tcpSocket: honoured,
    terminationGracePeriodSeconds: honoured,
    timeoutSeconds: honoured,
  },
  'core.v1.ExecAction': { command: honoured },
  'core.v1.HTTPGetAction': { host: honoured, httpHeaders: honoured, path: honoured, port: honoured, scheme: honoured },
  'core.v1.HTTPHeader': { name: honoured, value: honoured },
  'core.v1.TCPSocketAction': { host: honoured, port: honoured },
  'core.v1.GRPCAction': { port: honoured, service: honoured },
  'core.v1.SleepAction': { seconds: honoured },
  'core.v1.SecurityContext': {
    allowPrivilegeEscalation: honoured,
    appArmorProfile: appArmor,
    capabilities: honoured,
    privileged: honoured,
    procMount: only(refused('/proc is always masked'), 'Unmasked', is('Unmasked')),
    readOnlyRootFilesystem: honoured,
    runAsGroup: honoured,
    runAsNonRoot: honoured,
    runAsUser: honoured,
    seLinuxOptions: seLinux,
    seccompProfile: seccomp,
    windowsOptions: windows,
  },
  'core.v1.Capabilities': { add: honoured, drop: honoured },
  'core.v1.VolumeMount': {
    mountPath: honoured,
    mountPropagation: honoured,
    name: honoured,
    readOnly: honoured,
    recursiveReadOnly: only(refused('mounts inside of a volume keep their own mode'), 'Enabled', is('Enabled')),
    subPath: honoured,
    subPathExpr: honoured,
  },
  'core.v1.Volume': {
    awsElasticBlockStore: otherVolume,
    azureDisk: otherVolume,
    azureFile: otherVolume,
    cephfs: otherVolume,
    cinder: otherVolume,
    configMap: honoured,
    csi: otherVolume,
    downwardAPI: honoured,
    emptyDir: honoured,
    ephemeral: otherVolume,
    fc: otherVolume,
    flexVolume: otherVolume,
    flocker: otherVolume,
    gcePersistentDisk: otherVolume,
    gitRepo: otherVolume,
    glusterfs: otherVolume,
    hostPath: honoured,
    image: refused('images are not mounted as volumes yet'),
    iscsi: otherVolume,
    name: honoured,
    nfs: otherVolume,
    persistentVolumeClaim: honoured,
    photonPersistentDisk: otherVolume,
    portworxVolume: otherVolume,
    projected: honoured,
    quobyte: otherVolume,
    rbd: otherVolume,
    scaleIO: otherVolume,
    secret: honoured,
    storageos: otherVolume,
    vsphereVolume: otherVolume,
  },
  'core.v1.ConfigMapVolumeSource': { defaultMode: honoured, items: honoured, name: honoured, optional: honoured },
  'core.v1.SecretVolumeSource': { defaultMode: honoured, items: honoured, optional: honoured, secretName: honoured },
  'core.v1.KeyToPath': { key: honoured, mode: honoured, path: honoured },
  'core.v1.EmptyDirVolumeSource': {
    medium: only(refused('huge pages are not mounted yet: use Memory'), 'HugePages', (value) => String(value).startsWith('HugePages')),
    sizeLimit: honoured,
  },
  'core.v1.HostPathVolumeSource': { path: honoured, type: honoured },
  'core.v1.PersistentVolumeClaimVolumeSource': { claimName: honoured, readOnly: honoured },
  'core.v1.DownwardAPIVolumeSource': { defaultMode: honoured, items: honoured },
  'core.v1.DownwardAPIVolumeFile': { fieldRef: honoured, mode: honoured, path: honoured, resourceFieldRef: honoured },
  'core.v1.ProjectedVolumeSource': { defaultMode: honoured, sources: honoured },
  'core.v1.VolumeProjection': {
    clusterTrustBundle: refused('there are no trust bundles'),
    configMap: honoured,
    downwardAPI: honoured,
    podCertificate: refused('no certificates are made for pods'),
    secret: honoured,
    serviceAccountToken: refused('no tokens are made for pods yet'),
  },
  'core.v1.ConfigMapProjection': { items: honoured, name: honoured, optional: honoured },
  'core.v1.SecretProjection': { items: honoured, name: honoured, optional: honoured },
  'core.v1.DownwardAPIProjection': { items: honoured },
};
