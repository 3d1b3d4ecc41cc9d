import { describe, expect, test } from '@jest/globals';
import { renderCompatibility } from '../compatibility.ts';
import type { AnyKind } from '../kind.ts';
import type { KubernetesObject } from '../object.ts';
import { fromStored, toStored, validateNew } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { kinds, writtenKinds } from './index.ts';
import { causes, changes, faults, type Loose, long, make, now, row, served } from './testing.ts';

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } };
const selector = { matchLabels: { a: 'b' } };
const meta = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] };

describe('every written kind', () => {
  test.each(writtenKinds.map((kind): [string, AnyKind] => [kind.kind, kind]))(
    '%s has as many cells as columns, and defaults that rest',
    (_name, kind) => {
      const object = make(`${kind.names.plural}.${kind.group}`.replace(/\.$/, ''), { spec: { template, containers: [] } });
      expect(kind.columns.cells(object, now)).toHaveLength(kind.columns.columns.length);
      const again = structuredClone(object);
      kind.defaults?.(again);
      expect(again).toEqual(object);
      for (const read of Object.values(kind.selectableFields)) expect(() => String(read(object))).not.toThrow();
    },
  );
});

describe('objects that are right', () => {
  test.each<[string, object]>([
    ['ns', {}],
    ['no', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }],
    ['cm', { data: { 'a.b': 'x' }, binaryData: { c: 'AAAA' } }],
    ['secret', { stringData: { a: 'x' } }],
    ['svc', { spec: { ports: [{ port: 80 }], selector: { a: 'b' } } }],
    ['svc', { spec: { clusterIP: 'None' } }],
    ['svc', { spec: { type: 'ExternalName', externalName: 'example.com' } }],
    ['endpointslices', { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] }],
    ['sa', {}],
    ['pv', { spec: { ...meta, hostPath: { path: '/x' } } }],
    ['pvc', { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
    ['lease', { spec: { holderIdentity: 'me', leaseDurationSeconds: 15 } }],
    ['deploy', { spec: { selector, template } }],
    ['rs', { spec: { selector, template } }],
    ['stacks', { spec: { name: 'x', services: { web: { image: 'i' } } } }],
    ['sc', { provisioner: 'berth.dev/local' }],
    ['pc', { value: 1000 }],
    ['hpa', { spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'x' } } }],
  ])('%s %j', (name, fields) => {
    expect(faults(name, fields)).toEqual([]);
  });

  test('roles may have colons in their names, others may not', () => {
    expect(causes(() => validateNew(served('clusterroles').kind, make('clusterroles', {}, { name: 'system:x' })))).toEqual([]);
    expect(causes(() => validateNew(served('sa').kind, make('sa', {}, { name: 'system:x' })))).toHaveLength(1);
  });
});

describe('objects that are wrong', () => {
  test.each<[string, object, string[]]>([
    ['cm', { data: { 'a b': 'x' } }, ['data[a b]: Invalid value: "a b": a valid config key must consist of']],
    ['cm', { data: { a: 'x' }, binaryData: { a: 'AAAA' } }, ['data[a]: Invalid value: "a": duplicate of key present in binaryData']],
    ['cm', { data: { a: 'x'.repeat(2 ** 20 + 1) } }, ['data: Too long: may not be more than 1048576 bytes']],
    ['secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'AAAA' } }, ['data[tls.key]: Required value']],
    [
      'secret',
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{' } },
      ['data[.dockerconfigjson]: Invalid value'],
    ],
    ['svc', { spec: {} }, ['spec.ports: Required value']],
    [
      'svc',
      { spec: { type: 'Magic', ports: [{ port: 80 }] } },
      ['spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
    ],
    [
      'svc',
      { spec: { ports: [{ port: 80 }, { port: 81 }] } },
      ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
    ],
    [
      'svc',
      { spec: { ports: [{ port: 80, nodePort: 30000 }] } },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'svc',
      { spec: { ports: [{ port: 80, targetPort: 'a_b' }] } },
      ['spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric'],
    ],
    [
      'svc',
      { spec: { type: 'NodePort', clusterIP: 'None', ports: [{ port: 80 }] } },
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
    ],
    ['svc', { spec: { clusterIP: 'x', ports: [{ port: 80 }] } }, ['spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address']],
    [
      'endpointslices',
      { addressType: 'IPv4', endpoints: [{ addresses: ['::1'] }] },
      [
        'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
        'endpoints[0].addresses[0]: Invalid value: "::1": may not be in the loopback range',
      ],
    ],
    ['pv', { spec: { ...meta, local: { path: '/x' } } }, ['spec.nodeAffinity: Required value: Local volume requires node affinity']],
    ['pv', { spec: meta }, ['spec: Required value: must specify a volume type']],
    [
      'pvc',
      { spec: {} },
      ['spec.accessModes: Required value: at least 1 access mode is required', 'spec.resources[storage]: Required value'],
    ],
    ['lease', { spec: { leaseDurationSeconds: 0 } }, ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0']],
    ['no', { spec: { taints: [{ key: 'a', effect: 'Never' }] } }, ['spec.taints[0].effect: Unsupported value: "Never"']],
    ['deploy', { spec: { template } }, ['spec.selector: Required value']],
    [
      'deploy',
      { spec: { selector: { matchLabels: { a: 'c' } }, template } },
      ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'],
    ],
    ['deploy', { spec: { replicas: -1, selector, template } }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    [
      'deploy',
      { spec: { selector, template, strategy: { type: 'Recreate', rollingUpdate: {} } } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'deploy',
      { spec: { selector, template, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      'rs',
      { spec: { selector, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    ['rs', { spec: { selector, template: { ...template, spec: { containers: [] } } } }, ['spec.template.spec.containers: Required value']],
    ['stacks', { spec: {} }, ['spec.services: Required value']],
    [
      'stacks',
      { spec: { services: { 'a b': {}, c: 7 } } },
      ['spec.services: Invalid value: "a b"', 'spec.services[c]: Invalid value: 7: must be an object'],
    ],
    [
      'ev',
      { involvedObject: { namespace: 'other' } },
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
  ])('%s %#', (name, fields, expected) => {
    const found = faults(name, fields);
    expect(found.map((fault, index) => fault.slice(0, expected[index]?.length))).toEqual(expected);
  });
});

describe('changes', () => {
  test.each<[string, object, object, string[]]>([
    [
      'deploy',
      { spec: { selector: { matchLabels: { a: 'b', c: 'd' } }, template: { ...template, metadata: { labels: { a: 'b', c: 'd' } } } } },
      { spec: { selector, template } },
      ['spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable'],
    ],
    [
      'cm',
      { data: { a: '2' }, immutable: true },
      { data: { a: '1' }, immutable: true },
      ['data: Forbidden: field is immutable when `immutable` is set'],
    ],
    ['secret', { type: 'other' }, {}, ['type: Invalid value: "other": field is immutable']],
    [
      'pvc',
      { spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1' } } } },
      { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } } },
      ['spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'],
    ],
    [
      'pvc',
      { spec: { accessModes: ['ReadWriteOnce'], volumeName: 'v', resources: { requests: { storage: '1' } } } },
      { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } } },
      [],
    ],
    [
      'pv',
      { spec: { ...meta, hostPath: { path: '/y' } } },
      { spec: { ...meta, hostPath: { path: '/x' } } },
      ['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation'],
    ],
    [
      'svc',
      { spec: { ports: [{ port: 80 }], clusterIP: '10.0.0.2' } },
      { spec: { ports: [{ port: 80 }], clusterIP: '10.0.0.1' } },
      ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
    ],
    [
      'no',
      { spec: { podCIDRs: ['10.1.0.0/24'] } },
      { spec: { podCIDRs: ['10.2.0.0/24'] } },
      ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
    ],
  ])('%s %#', (name, fields, old, expected) => {
    expect(changes(name, fields, old)).toEqual(expected);
  });

  test('a service that is replaced keeps the address and ports that it was given', () => {
    const { kind } = served('svc');
    const draft = make('svc', { spec: { type: 'NodePort', ports: [{ port: 80 }] } });
    const old = make('svc', { spec: { type: 'NodePort', clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 30001 }] } });
    kind.beforeUpdate?.(draft, old);
    expect(draft.spec).toMatchObject({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [{ port: 80, nodePort: 30001 }] });
  });

  test('a generation is raised by what is wanted, not by what is seen', () => {
    const { kind } = served('deploy');
    const object = make('deploy', { spec: { selector, template } });
    expect(kind.changesGeneration?.({ ...object, status: { replicas: 3 } } as KubernetesObject, object)).toBe(false);
    expect(kind.changesGeneration?.({ ...object, spec: { ...object.spec, replicas: 5 } } as KubernetesObject, object)).toBe(true);
    expect(served('cm').kind.changesGeneration).toBeUndefined();
    expect(served('svc').kind.changesGeneration).toBeUndefined();
  });

  test('a status that is written changes nothing else', () => {
    const { kind } = served('deploy');
    const object = make('deploy', { spec: { selector, template } });
    const write = kind.subresources.find((one) => one.name === 'status')?.write;
    const written = write?.(object, { ...object, spec: {}, status: { replicas: 7 } } as unknown as KubernetesObject, now) as Loose;
    expect(written.status).toEqual({ replicas: 7 });
    expect(written.spec).toBe(object.spec);
  });

  test('scale reads and writes the replicas', () => {
    const { kind } = served('deploy');
    const object = make('deploy', { spec: { replicas: 2, selector, template }, status: { replicas: 1 } });
    const scale = kind.subresources.find((one) => one.name === 'scale');
    expect(scale?.read?.(object)).toMatchObject({ kind: 'Scale', spec: { replicas: 2 }, status: { replicas: 1, selector: 'a=b' } });
    const body = (replicas: number): KubernetesObject =>
      ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: {}, spec: { replicas } }) as KubernetesObject;
    expect(scale?.write?.(object, body(5), now)).toMatchObject({ spec: { replicas: 5 } });
    expect(scale?.write?.(object, body(2), now)).toBe(object);
    expect(() => scale?.write?.(object, body(-1), now)).toThrow('must be greater than or equal to 0');
  });
});

test('whoever sets how long an affinity lasts is told that it has no effect, once', () => {
  const { kind } = served('svc');
  const sticky = (timeoutSeconds?: number): KubernetesObject =>
    make('svc', {
      spec: {
        ports: [{ port: 80 }],
        sessionAffinity: 'ClientIP',
        ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
      },
    });
  expect(kind.warnings?.(sticky(), undefined)).toEqual([]);
  expect(kind.warnings?.(sticky(60), undefined)).toEqual([expect.stringContaining('timeoutSeconds: accepted without effect')]);
  expect(kind.warnings?.(sticky(60), sticky(60))).toEqual([]);
});

test('whoever creates what is stored only is told so, once', () => {
  const { kind } = served('networkpolicies');
  const object = make('networkpolicies', {});
  expect(kind.warnings?.(object, undefined)).toEqual(['NetworkPolicy is stored only: nothing acts on it yet']);
  expect(kind.warnings?.(object, object)).toEqual([]);
  expect(served('cm').kind.warnings).toBeUndefined();
});

describe('namespaces', () => {
  const { kind } = served('ns');

  test('are made with a finalizer and a label, and held until the finalizer is gone', () => {
    const object = make('ns', {});
    kind.beforeCreate?.(object);
    expect(object).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    expect(kind.deletion?.isHeld?.(object)).toBe(true);
    kind.deletion?.begin?.(object);
    expect(object.status).toEqual({ phase: 'Terminating' });
    const finalize = kind.subresources.find((one) => one.name === 'finalize');
    expect(kind.deletion?.isHeld?.(finalize!.write!(object, make('ns', {}), now))).toBe(false);
  });
});

describe('rows', () => {
  test.each<[string, object, object, unknown[]]>([
    [
      'deploy',
      { spec: { replicas: 3, selector, template }, status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 } },
      {},
      ['x', '2/3', 3, 2, '60m', 'c', 'i:1', 'a=b'],
    ],
    [
      'rs',
      { spec: { replicas: 3, selector, template }, status: { replicas: 3, readyReplicas: 2 } },
      {},
      ['x', 3, 3, 2, '60m', 'c', 'i:1', 'a=b'],
    ],
    [
      'svc',
      { spec: { type: 'NodePort', clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 30080 }], selector: { a: 'b' } } },
      {},
      ['x', 'NodePort', '10.0.0.1', '<none>', '80:30080/TCP', '60m', 'a=b'],
    ],
    [
      'svc',
      { spec: { type: 'LoadBalancer', ports: [{ port: 80 }] }, status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } },
      {},
      ['x', 'LoadBalancer', '<none>', '1.2.3.4', '80/TCP', '60m', '<none>'],
    ],
    [
      'no',
      {
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
          nodeInfo: { kubeletVersion: 'v1' },
        },
      },
      { labels: { 'node-role.kubernetes.io/worker': '' } },
      ['x', 'Ready,SchedulingDisabled', 'worker', '60m', 'v1', '10.0.0.1', '<none>', '<unknown>', '<unknown>', '<unknown>'],
    ],
    ['cm', { data: { a: '1' }, binaryData: { b: '' } }, {}, ['x', 2, '60m']],
    ['secret', { data: { a: '' } }, {}, ['x', 'Opaque', 1, '60m']],
    [
      'endpointslices',
      { addressType: 'IPv4', ports: [{ port: 80 }, { port: 81 }], endpoints: [{ addresses: ['a', 'b'] }, { addresses: ['c', 'd'] }] },
      {},
      ['x', 'IPv4', '80,81', 'a,b,c + 1 more...', '60m'],
    ],
    [
      'pvc',
      {
        spec: { volumeName: 'v', storageClassName: 's' },
        status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
      },
      {},
      ['x', 'Bound', 'v', '1Gi', 'RWO', 's', '<unset>', '60m', 'Filesystem'],
    ],
    [
      'ev',
      {
        involvedObject: { kind: 'Pod', name: 'p' },
        type: 'Normal',
        reason: 'Started',
        message: ' m ',
        count: 3,
        lastTimestamp: '2026-01-01T11:59:30Z',
        firstTimestamp: long,
        source: { component: 'agent', host: 'n' },
      },
      {},
      ['30s', 'Normal', 'Started', 'pod/p', '', 'agent, n', 'm', '60m', 3, 'x'],
    ],
    [
      'stacks',
      {
        spec: { services: { a: {}, b: {} } },
        status: {
          phase: 'Healthy',
          services: [
            { name: 'a', desired: 2, ready: 2 },
            { name: 'b', desired: 1, ready: 0 },
          ],
        },
      },
      {},
      ['x', '1/2', 'Healthy', '60m'],
    ],
    [
      'sc',
      { provisioner: 'p/q' },
      { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      ['x (default)', 'p/q', 'Delete', 'Immediate', false, '60m'],
    ],
    ['ns', { status: { phase: 'Active' } }, {}, ['x', 'Active', '60m']],
    ['lease', { spec: { holderIdentity: 'me' } }, {}, ['x', 'me', '60m']],
  ])('%s', (name, fields, metadata, expected) => {
    expect(row(name, fields, metadata)).toEqual(expected);
  });
});

describe('kinds that are served in several forms', () => {
  test('an event comes back as it was, whichever group it is read in', () => {
    const other = served('events.events.k8s.io');
    const given = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'x', namespace: 'd' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      note: 'n',
      regarding: { kind: 'Pod', name: 'p', namespace: 'd' },
      reason: 'r',
      action: 'a',
      type: 'Normal',
      reportingController: 'c',
      reportingInstance: 'i',
      deprecatedCount: 3,
      deprecatedSource: { component: 's' },
    };
    const { object } = decodeObject(other.version.typeName, given, { fieldValidation: 'Strict' });
    const stored = toStored(other, object);
    expect(decodeObject('core.v1.Event', stored, { fieldValidation: 'Strict' }).object).toEqual(stored);
    expect(stored).toMatchObject({ apiVersion: 'v1', message: 'n', involvedObject: { name: 'p' }, count: 3, reportingComponent: 'c' });
    expect(fromStored(other, stored)).toEqual(object);
  });

  test('an autoscaler keeps in v1 what only v2 has', () => {
    const v1 = served('horizontalpodautoscalers.v1.autoscaling');
    const stored = make('hpa', {
      spec: {
        maxReplicas: 5,
        scaleTargetRef: { kind: 'Deployment', name: 'x' },
        behavior: { scaleDown: { stabilizationWindowSeconds: 5 } },
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
          { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
        ],
      },
    });
    const old = fromStored(v1, { ...stored, apiVersion: 'autoscaling/v2' });
    expect(decodeObject(v1.version.typeName, old, { fieldValidation: 'Strict' }).object).toMatchObject({
      spec: { targetCPUUtilizationPercentage: 80 },
    });
    expect(decodeObject('autoscaling.v2.HorizontalPodAutoscaler', toStored(v1, old)).object).toEqual({
      ...stored,
      apiVersion: 'autoscaling/v2',
    });
  });
});

test('the documentation is written from the tables', () => {
  const text = renderCompatibility(kinds);
  expect(text).toContain('| Event | `v1`, `events.k8s.io/v1` | acted on |');
  expect(text).toContain('| `spec.volumes[].nfs` | refused |');
  expect(text).toContain('| NetworkPolicy | `networking.k8s.io/v1` | stored only |');
});
