/** By which fields the objects of each kind can be selected: an object, a selector that chooses it, and values that do not. */

export interface SelectorRow {
  readonly collection: string;
  readonly object: object;
  /** Merged into its status by the status subresource. */
  readonly status?: object;
  /** Each chooses the object; with `!=` in place of `=` none does. `{name}` and `{uid}` are the object's. */
  readonly chosenBy: readonly string[];
  /** A path by which no such object can be selected, and what is said of it. */
  readonly unknown: readonly [path: string, message: string | RegExp];
}

const container = { name: 'c', image: 'i' };
const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } };
const notSupported = (path: string): SelectorRow['unknown'] => [
  path,
  new RegExp(`^field label not supported: ${path.replaceAll('.', '\\.')}`),
];
const onlyMetadata = (path: string): SelectorRow['unknown'] => [
  path,
  `"${path}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
];
const inRules = (plural: string, group = 'v1'): string => `${group === 'v1' ? '/api' : '/apis'}/${group}/namespaces/rules/${plural}`;
const eventSelectors = (reference: string): string[] => [
  `${reference}.kind=Pod`,
  `${reference}.namespace=rules`,
  `${reference}.name=p`,
  `${reference}.uid=u`,
  `${reference}.apiVersion=v1`,
  `${reference}.resourceVersion=5`,
  `${reference}.fieldPath=spec`,
  'reason=Started',
  'type=Normal',
];
const involved = { kind: 'Pod', namespace: 'rules', name: 'p', uid: 'u', apiVersion: 'v1', resourceVersion: '5', fieldPath: 'spec' };

export const selectorRows: readonly SelectorRow[] = [
  {
    collection: inRules('pods'),
    object: {
      metadata: { name: 'pod' },
      spec: {
        nodeName: 'n1',
        restartPolicy: 'Never',
        schedulerName: 'mine',
        serviceAccountName: 'default',
        hostNetwork: true,
        containers: [container],
      },
    },
    status: { phase: 'Running', podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }], nominatedNodeName: 'n2' },
    chosenBy: [
      'metadata.name={name}',
      'metadata.namespace=rules',
      'spec.nodeName=n1',
      'spec.restartPolicy=Never',
      'spec.schedulerName=mine',
      'spec.serviceAccountName=default',
      'spec.hostNetwork=true',
      'status.phase=Running',
      'status.podIP=10.1.2.3',
      'status.podIPs=10.1.2.3',
      'status.nominatedNodeName=n2',
    ],
    unknown: notSupported('spec.priority'),
  },
  {
    collection: inRules('events'),
    object: {
      metadata: { name: 'core' },
      involvedObject: involved,
      reason: 'Started',
      type: 'Normal',
      source: { component: 'kubelet' },
      reportingComponent: 'agent',
    },
    chosenBy: [...eventSelectors('involvedObject'), 'source=kubelet', 'reportingComponent=agent'],
    unknown: notSupported('regarding.name'),
  },
  {
    collection: inRules('events', 'events.k8s.io/v1'),
    object: {
      metadata: { name: 'new' },
      regarding: involved,
      reason: 'Started',
      type: 'Normal',
      action: 'x',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'agent',
      reportingInstance: 'i',
    },
    chosenBy: [...eventSelectors('regarding'), 'reportingController=agent'],
    unknown: notSupported('involvedObject.name'),
  },
  {
    collection: inRules('secrets'),
    object: { metadata: { name: 'secret' }, type: 'example.com/odd' },
    chosenBy: ['type=example.com/odd', 'metadata.name={name}'],
    unknown: notSupported('data.x'),
  },
  {
    collection: inRules('services'),
    object: { metadata: { name: 'service' }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
    chosenBy: ['spec.clusterIP=None', 'spec.type=ClusterIP'],
    unknown: notSupported('spec.externalName'),
  },
  {
    collection: '/api/v1/namespaces',
    object: { metadata: { name: 'room' } },
    chosenBy: ['status.phase=Active', 'metadata.name=room'],
    unknown: notSupported('metadata.namespace'),
  },
  {
    collection: '/api/v1/nodes',
    object: { metadata: { name: 'n1' }, spec: { unschedulable: true } },
    chosenBy: ['spec.unschedulable=true', 'metadata.name={name}'],
    unknown: notSupported('spec.podCIDR'),
  },
  {
    collection: inRules('replicationcontrollers'),
    object: { metadata: { name: 'rc' }, spec: { replicas: 2, selector: { app: 'x' }, template } },
    status: { replicas: 2 },
    chosenBy: ['status.replicas=2'],
    unknown: notSupported('spec.replicas'),
  },
  {
    collection: inRules('replicasets', 'apps/v1'),
    object: { metadata: { name: 'rs' }, spec: { replicas: 2, selector: { matchLabels: { app: 'x' } }, template } },
    status: { replicas: 2 },
    chosenBy: ['status.replicas=2'],
    unknown: notSupported('spec.replicas'),
  },
  {
    collection: inRules('jobs', 'batch/v1'),
    object: { metadata: { name: 'job' }, spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } } },
    status: { succeeded: 3 },
    chosenBy: ['status.successful=3'],
    unknown: notSupported('status.failed'),
  },
  {
    collection: inRules('deployments', 'apps/v1'),
    object: { metadata: { name: 'deployment' }, spec: { selector: { matchLabels: { app: 'x' } }, template } },
    chosenBy: ['metadata.name={name}', 'metadata.namespace=rules'],
    unknown: onlyMetadata('status.replicas'),
  },
  {
    collection: '/apis/storage.k8s.io/v1/storageclasses',
    object: { metadata: { name: 'class' }, provisioner: 'example.com/p' },
    chosenBy: ['metadata.name={name}', 'metadata.namespace='],
    unknown: onlyMetadata('provisioner'),
  },
];
