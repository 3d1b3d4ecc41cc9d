import { describe, expect, test } from '@jest/globals';
import { validateChange, validateNew } from '../registry.ts';
import { kindRegistry } from './index.ts';
import { causes, changes, faults, long, make, served, startsOf } from './testing.ts';

const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const volume = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } };
const driven = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, csi: { driver: 'a.b', volumeHandle: 'h' } };
const dns = 'a lowercase RFC 1123 subdomain';

/** Sources of volumes that are wrong, and what is wrong with each. */
const sources: [object, string[]][] = [
  [
    { nfs: { server: 's', path: '/x' }, csi: {}, cephfs: {} },
    ['cephfs: Forbidden: may not specify more than 1 volume type', 'csi: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    { hostPath: { path: '/a/../b', type: 'x' } },
    ['hostPath.path: Invalid value: "/a/../b": must not contain', 'hostPath.type: Unsupported'],
  ],
  [
    { gcePersistentDisk: { pdName: '', partition: 256 } },
    ['persistentDisk.pdName: Required value', 'persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive'],
  ],
  [{ awsElasticBlockStore: { volumeID: '' } }, ['awsElasticBlockStore.volumeID: Required value']],
  [
    { glusterfs: { endpoints: '', path: '', endpointsNamespace: '' } },
    [
      'glusterfs.endpoints: Required value',
      'glusterfs.path: Required value',
      'glusterfs.endpointsNamespace: Invalid value: "": if the endpointnamespace is set, it must be a valid namespace name',
    ],
  ],
  [{ flocker: {} }, ['flocker: Required value: one of datasetName and datasetUUID is required']],
  [
    { flocker: { datasetName: 'a/b', datasetUUID: 'u' } },
    [
      'flocker: Invalid value: "resource": datasetName and datasetUUID can not be specified simultaneously',
      'flocker.datasetName: Invalid value: "a/b": must not contain \'/\'',
    ],
  ],
  [{ rbd: { monitors: [], image: '' } }, ['rbd.monitors: Required value', 'rbd.image: Required value']],
  [
    { quobyte: { registry: 'a', volume: '' } },
    [
      'quobyte.registry: Invalid value: "a": must be a host:port pair or multiple pairs separated by commas',
      'quobyte.volume: Required value',
    ],
  ],
  [{ quobyte: { registry: 'a:1,[::1]:2', volume: 'v' } }, []],
  [{ cephfs: { monitors: [] } }, ['cephfs.monitors: Required value']],
  [
    { iscsi: { targetPortal: '', iqn: 'x', lun: 256, chapAuthSession: true, initiatorName: 'eui.1' } },
    [
      'iscsi.targetPortal: Required value',
      'iscsi.iqn: Invalid value: "x": must be valid format',
      'iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive',
      'iscsi.secretRef: Required value',
      'iscsi.initiatorname: Invalid value: "eui.1": must be valid format',
    ],
  ],
  [{ iscsi: { targetPortal: 'p', iqn: 'iqn.2026-01.example.com:a', lun: 0 } }, []],
  [
    { cinder: { volumeID: '', secretRef: {} } },
    ['cinder.volumeID: Required value', 'cinder.secretRef.name: Required value', 'cinder.secretRef.namespace: Required value'],
  ],
  [{ fc: {} }, ['fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both']],
  [
    { fc: { targetWWNs: ['a'], wwids: ['b'] } },
    [
      'fc.targetWWNs: Invalid value: ["a"]: targetWWNs and wwids can not be specified simultaneously',
      'fc.lun: Required value: lun is required if targetWWNs is specified',
    ],
  ],
  [
    { flexVolume: { driver: '', options: { 'x.K8s.io/a': '', b: '' } } },
    [
      'flexVolume.driver: Required value',
      'flexVolume.options[x.K8s.io/a]: Invalid value: "x.K8s.io/a": kubernetes.io and k8s.io namespaces are reserved',
    ],
  ],
  [
    { azureFile: { secretName: '', shareName: '', secretNamespace: '' } },
    ['azureFile.secretName: Required value', 'azureFile.shareName: Required value', 'azureFile.secretNamespace: Required value'],
  ],
  [{ vsphereVolume: { volumePath: '' } }, ['vsphereVolume.volumePath: Required value']],
  [{ photonPersistentDisk: { pdID: '' } }, ['photonPersistentDisk.pdID: Required value']],
  [{ portworxVolume: { volumeID: '' } }, ['portworxVolume.volumeID: Required value']],
  [
    { azureDisk: { diskName: '', diskURI: 'x', cachingMode: 'x' } },
    [
      'azureDisk.diskName: Required value',
      'azureDisk.cachingMode: Unsupported value: "x": supported values: "None", "ReadOnly", "ReadWrite"',
      'azureDisk.diskURI: Unsupported value: "x": supported values: "https://{account-name}.blob.core.windows.net/',
    ],
  ],
  [
    { scaleIO: { gateway: '', system: '', secretRef: {} } },
    ['scaleIO.gateway: Required value', 'scaleIO.system: Required value', 'scaleIO.volumeName: Required value'],
  ],
  [{ local: { path: '' } }, ['local.path: Required value', 'nodeAffinity: Required value: Local volume requires node affinity']],
  [
    { storageos: { volumeName: 'A', volumeNamespace: 'a.b', secretRef: { name: 's' } } },
    [
      'storageos.volumeName: Invalid value: "A": a lowercase RFC 1123 label',
      'storageos.volumeNamespace: Invalid value: "a.b": must not contain dots',
      'storageos.secretRef.namespace: Required value',
    ],
  ],
  [
    { csi: { driver: '', volumeHandle: '', nodePublishSecretRef: { name: 'A' } } },
    [
      'csi.driver: Required value',
      `csi.driver: Invalid value: "": ${dns}`,
      'csi.volumeHandle: Required value',
      `csi.nodePublishSecretRef.name: Invalid value: "A": ${dns}`,
      'csi.nodePublishSecretRef.namespace: Required value',
    ],
  ],
];

test.each(sources)('sources of volumes: %j', (source, expected) => {
  const { hostPath: _hostPath, ...rest } = volume;
  const wanted = expected.map((fault) => `spec.${fault}`);
  expect(startsOf(faults('pv', { spec: { ...rest, ...source } }), wanted)).toEqual(wanted);
});

describe('what is wrong', () => {
  test.each<[string, object, string[]]>([
    [
      'no',
      {
        spec: {
          taints: [
            { key: 'a b', effect: 'Sometimes' },
            { key: 'k', effect: '' },
            { key: 'k', effect: 'NoExecute' },
            { key: 'k', effect: 'NoExecute' },
          ],
          podCIDRs: ['x'],
        },
        status: { capacity: { cpu: '-1' } },
      },
      [
        'spec.taints[0].key: Invalid value: "a b": name part must consist of',
        'spec.taints[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        'spec.taints[1].effect: Required value',
        'spec.taints[3]: Duplicate value: {',
        'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.allocatable.cpu: Invalid value: "-1"',
        'spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value',
      ],
    ],
    [
      'ns',
      { spec: { finalizers: ['odd'] } },
      ['spec.finalizers: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified'],
    ],
    [
      'ep',
      {
        subsets: [
          {},
          { addresses: [{ ip: '127.0.0.1', hostname: 'A' }, { ip: 'x' }], ports: [{ port: 0 }, { name: 'a', port: 1, protocol: 'x' }] },
        ],
      },
      [
        'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
        'subsets[1].addresses[0].hostname: Invalid value: "A": a lowercase RFC 1123 label',
        'subsets[1].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'subsets[1].addresses[1].ip: Invalid value: "x": must be a valid IP address',
        'subsets[1].ports[0].name: Required value',
        'subsets[1].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'subsets[1].ports[1].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
      ],
    ],
    [
      'endpointslices',
      {
        addressType: 'IPv4',
        endpoints: [
          { addresses: [] },
          { addresses: ['x', '169.254.0.1'], hostname: 'A', nodeName: 'B_', hints: { forZones: [{ name: 'a' }, { name: 'a' }] } },
        ],
        ports: [
          { name: 'a', port: 1 },
          { name: 'a', port: 2, protocol: 'x', appProtocol: 'a b' },
        ],
      },
      [
        'endpoints[0].addresses: Required value: must contain at least 1 address',
        'endpoints[1].addresses[0]: Invalid value: "x": must be a valid IPv4 address',
        'endpoints[1].addresses[1]: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        `endpoints[1].nodeName: Invalid value: "B_": ${dns}`,
        'endpoints[1].hostname: Invalid value: "A": a lowercase RFC 1123 label',
        'endpoints[1].hints.forZones[1].name: Duplicate value: "a"',
        'ports[1].name: Duplicate value: "a"',
        'ports[1].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
        'ports[1].appProtocol: Invalid value: "a b": name part must consist of',
      ],
    ],
    ['endpointslices', { addressType: 'IPv5' }, ['addressType: Unsupported value: "IPv5": supported values: "FQDN", "IPv4", "IPv6"']],
    ['ev', { involvedObject: { namespace: 'e' } }, ['involvedObject.namespace: Invalid value: "e": does not match event.namespace']],
    ['ev', { involvedObject: {} }, ['involvedObject.namespace: Invalid value: "": does not match event.namespace']],
    [
      'ev',
      { involvedObject: { namespace: 'd' }, eventTime: '2026-01-01T00:00:00.000000Z', reason: 'x'.repeat(129), message: 'x'.repeat(1025) },
      [
        'reportingController: Required value',
        'reportingController: Invalid value: "": name part must be non-empty',
        'reportingController: Invalid value: "": name part must consist of',
        'reportingInstance: Required value',
        'action: Required value',
        'reason: Invalid value: "": can have at most 128 characters',
        'message: Invalid value: "": can have at most 1024 characters',
      ],
    ],
    [
      'pv',
      { spec: { capacity: { cpu: '1' }, persistentVolumeReclaimPolicy: 'x', nodeAffinity: {}, storageClassName: 'A', volumeMode: 'x' } },
      [
        'spec.accessModes: Required value',
        'spec.capacity: Unsupported value: {"cpu":"1"}: supported values: "storage"',
        'spec.persistentVolumeReclaimPolicy: Unsupported value: "x": supported values: "Delete", "Recycle", "Retain"',
        'spec.nodeAffinity.required: Required value: must specify required node constraints',
        'spec: Required value: must specify a volume type',
        `spec.storageClassName: Invalid value: "A": ${dns}`,
        'spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"',
      ],
    ],
    [
      'pv',
      {
        spec: {
          ...volume,
          capacity: { storage: '0' },
          accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'],
          hostPath: { path: '/' },
          persistentVolumeReclaimPolicy: 'Recycle',
        },
      },
      [
        'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
        'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
      ],
    ],
    [
      'pv',
      { spec: { ...volume, hostPath: undefined, local: { path: '/x' } } },
      ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
    ],
    [
      'pv',
      { spec: { ...volume, hostPath: undefined, nfs: { server: '', path: 'x' } } },
      ['spec.nfs.server: Required value', 'spec.nfs.path: Invalid value: "x": must be an absolute path'],
    ],
    ['pv', { spec: { ...volume, nfs: { server: 's', path: '/x' } } }, ['spec.nfs: Forbidden: may not specify more than 1 volume type']],
    [
      'pvc',
      {
        spec: {
          accessModes: ['Odd'],
          volumeMode: 'x',
          storageClassName: 'A',
          selector: { matchExpressions: [{ key: 'k', operator: 'Odd' }] },
        },
      },
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator',
        'spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
        'spec.resources[storage]: Required value',
        `spec.storageClassName: Invalid value: "A": ${dns}`,
        'spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"',
      ],
    ],
    [
      'pvc',
      { spec: { ...claim, dataSource: { kind: 'Thing', name: '' }, dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'x' } } },
      [
        'spec.dataSource.name: Required value',
        'spec.dataSource: Invalid value: "Thing": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
        'spec: Invalid value: "spec.dataSource": must match dataSourceRef',
      ],
    ],
    [
      'sc',
      {
        provisioner: '',
        reclaimPolicy: 'x',
        volumeBindingMode: 'x',
        allowedTopologies: [
          {
            matchLabelExpressions: [
              { key: 'a b', values: [] },
              { key: 'k', values: ['a', 'a'] },
            ],
          },
          {},
          {},
        ],
      },
      [
        'provisioner: Required value',
        'reclaimPolicy: Unsupported value: "x": supported values: "Delete", "Retain"',
        'volumeBindingMode: Unsupported value: "x": supported values: "Immediate", "WaitForFirstConsumer"',
        'allowedTopologies[0].matchLabelExpressions[0].values: Required value',
        'allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: "a b": name part must consist of',
        'allowedTopologies[0].matchLabelExpressions[1].values[1]: Duplicate value: "a"',
        'allowedTopologies[2].matchLabelExpressions: Duplicate value: ""',
      ],
    ],
    [
      'pc',
      { value: 2_000_000_000, preemptionPolicy: 'x' },
      [
        'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
        'preemptionPolicy: Unsupported value: "x": supported values: "PreemptLowerPriority", "Never"',
      ],
    ],
    [
      'lease',
      { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } },
      [
        'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
        'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
  ])('%s %j', (name, fields, wanted) => {
    expect(startsOf(faults(name, fields), wanted)).toEqual(wanted);
  });

  test('names of the system are its own', () => {
    const named = (name: string, fields: object): string[] => faults('pc', fields, { name });
    const reserved = "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ";
    expect(named('system-mine', { value: 1 })).toEqual([`${reserved}system-mine is not a known system priority class`]);
    expect(named('system-node-critical', { value: 1 })).toEqual([
      `${reserved}value of system-node-critical PriorityClass must be 2000001000`,
    ]);
    expect(named('system-node-critical', { value: 2_000_001_000 })).toEqual([]);
  });
});

describe('what may change', () => {
  const bound = { spec: { ...claim, volumeName: 'v' }, status: { phase: 'Bound', capacity: { storage: '1Gi' } } };
  const sized = (storage: string, more: object = {}): object => ({
    spec: { ...claim, volumeName: 'v', resources: { requests: { storage } }, ...more },
  });
  const fixed =
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
  test.each<[string, object, object, string[]]>([
    ['pvc', bound, sized('2Gi'), []],
    ['pvc', bound, sized('512Mi'), ['spec.resources.requests.storage: Forbidden: field can not be less than status.capacity']],
    ['pvc', { spec: claim }, { spec: { ...claim, resources: { requests: { storage: '2Gi' } } } }, [fixed]],
    ['pvc', { spec: claim }, { spec: { ...claim, volumeName: 'v', storageClassName: 'c' } }, []],
    ['pvc', bound, sized('1Gi', { volumeName: 'w' }), [fixed]],
    [
      'pvc',
      { spec: claim },
      { spec: { ...claim, volumeMode: 'Block' } },
      [fixed, 'volumeMode: Invalid value: "Block": field is immutable'],
    ],
    [
      'pv',
      { spec: volume },
      { spec: { ...volume, hostPath: { path: '/y' } } },
      ['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation'],
    ],
    ['pv', { spec: driven }, { spec: { ...driven, csi: { ...driven.csi, controllerExpandSecretRef: { name: 's', namespace: 'n' } } } }, []],
    [
      'pv',
      { spec: driven },
      { spec: { ...driven, csi: { ...driven.csi, nodeExpandSecretRef: { name: 's', namespace: 'n' } } } },
      ['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation'],
    ],
    ['pv', { spec: volume }, { spec: { ...volume, volumeMode: 'Block' } }, ['volumeMode: Invalid value: "Block": field is immutable']],
    ['sc', { provisioner: 'a' }, { provisioner: 'b' }, ['provisioner: Forbidden: updates to provisioner are forbidden.']],
    [
      'pc',
      { value: 1 },
      { value: 2, preemptionPolicy: 'Never' },
      ['value: Forbidden: may not be changed in an update.', 'preemptionPolicy: Invalid value: "Never": field is immutable'],
    ],
    ['endpointslices', { addressType: 'IPv4' }, { addressType: 'IPv6' }, ['addressType: Invalid value: "IPv6": field is immutable']],
    [
      'no',
      { spec: { providerID: 'a', podCIDRs: ['10.0.0.0/24'] } },
      { spec: { providerID: 'b' } },
      [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
        'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
      ],
    ],
  ])('%s %j → %j', (name, old, now, wanted) => {
    expect(startsOf(changes(name, now, old), wanted)).toEqual(wanted);
  });

  test("a namespace's phase follows its deletion", () => {
    const { kind } = served('ns');
    const status = kind.subresources.find(({ name }) => name === 'status');
    const check = (phase: string, metadata: object = {}): string[] => {
      const object = make('ns', { status: { phase } }, metadata);
      return causes(() => status?.validate?.(object, object).throwIfAny(kind, 'x'));
    };
    expect(check('Active')).toEqual([]);
    expect(check('Terminating')).toEqual([
      'status.Phase: Invalid value: "Terminating": may only be \'Active\' if `deletionTimestamp` is empty',
    ]);
    expect(check('Terminating', { deletionTimestamp: long })).toEqual([]);
  });
});

describe('events of the newer group', () => {
  const { kind, version } = kindRegistry.find('events.k8s.io', 'v1', 'events') ?? { kind: undefined, version: undefined };
  if (kind === undefined) throw new Error('no events.k8s.io');
  const who = { involvedObject: { namespace: 'd' }, reportingComponent: 'a/b', reportingInstance: 'i', action: 'Do', reason: 'Why' };
  const reported = { ...who, eventTime: '2026-01-01T00:00:00.000000Z', type: 'Normal' };
  const created = (fields: object): string[] => causes(() => validateNew(kind, make('ev', fields, { uid: 'u' }), version));
  const changed = (fields: object): string[] =>
    causes(() => validateChange(kind, make('ev', { ...reported, ...fields }, { uid: 'u' }), make('ev', reported, { uid: 'u' }), version));

  test('are reported in the newer way', () => {
    expect(created(reported)).toEqual([]);
    expect(created({ ...who, type: 'Odd', count: 2, firstTimestamp: long, source: { component: 'c' }, series: { count: 1 } })).toEqual([
      'series.count: Invalid value: "": should be at least 2',
      'series.lastObservedTime: Required value',
      'eventTime: Required value',
      'type: Invalid value: "": has invalid value: Odd',
      'firstTimestamp: Invalid value: "": needs to be unset',
      'count: Invalid value: "": needs to be unset',
      'source: Invalid value: "": needs to be unset',
    ]);
  });

  test('change in their series alone', () => {
    expect(changed({ series: { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' } })).toEqual([]);
    expect(changed({ reason: 'Other' })).toEqual(['reason: Invalid value: "Other": field is immutable']);
  });
});
