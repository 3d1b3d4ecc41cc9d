/** Rules for who may do what, for what comes from outside, and for drivers. */
import { describe, expect, test } from '@jest/globals';
import { validateChange } from '../registry.ts';
import { causes, changes, faults, make, served, startsOf } from './testing.ts';

const role = { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' } };
const backend = { service: { name: 's', port: { number: 80 } } };

describe('what is wrong', () => {
  test.each<[string, object, string[]]>([
    [
      'netpol',
      {
        spec: {
          podSelector: {},
          ingress: [
            {
              from: [
                {},
                { podSelector: {}, ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } },
                { ipBlock: { cidr: '10.0.0.0/64' } },
              ],
              ports: [{ protocol: 'X', port: 90, endPort: 80 }, { endPort: 5 }, { port: 'http', endPort: 5 }],
            },
          ],
          policyTypes: ['Ingress', 'Sideways'],
        },
      },
      [
        'spec.ingress[0].ports[0].protocol: Unsupported value: "X": supported values: "TCP", "UDP", "SCTP"',
        'spec.ingress[0].ports[0].endPort: Invalid value: 90: must be greater than or equal to `port`',
        'spec.ingress[0].ports[1].endPort: Invalid value: 5: may not be specified when `port` is not specified',
        'spec.ingress[0].ports[2].endPort: Invalid value: 5: may not be specified when `port` is non-numeric',
        'spec.ingress[0].from[0]: Required value: must specify a peer',
        'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        'spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer',
        'spec.ingress[0].from[2].ipBlock.cidr: Invalid value: "10.0.0.0/64": must be a valid CIDR value',
        'spec.policyTypes[1]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"',
      ],
    ],
    ['ing', { spec: {} }, ['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified']],
    [
      'ing',
      {
        spec: {
          rules: [
            {
              host: 'a*b',
              http: {
                paths: [
                  { path: 'x', pathType: 'Prefix', backend },
                  { path: '/a//b/..', pathType: 'Exact', backend: {} },
                  { path: '/', pathType: 'Odd', backend: { service: { name: 's' } } },
                  { path: '/', backend },
                ],
              },
            },
          ],
        },
      },
      [
        'spec.rules[0].host: Invalid value: "a*b": a wildcard DNS-1123 subdomain must start with',
        'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
        'spec.rules[0].http.paths[1].path: Invalid value: "/a//b/..": must not contain \'//\'',
        'spec.rules[0].http.paths[1].path: Invalid value: "/a//b/..": cannot end with \'/..\'',
        'spec.rules[0].http.paths[1].backend: Invalid value: "": resource or service backend is required',
        'spec.rules[0].http.paths[2].pathType: Unsupported value: "Odd": supported values: "Exact", "ImplementationSpecific", "Prefix"',
        'spec.rules[0].http.paths[2].backend: Required value: port name or number is required',
        'spec.rules[0].http.paths[3].pathType: Required value: pathType must be specified',
      ],
    ],
    [
      'ingressclasses',
      { spec: { controller: 'x' } },
      ['spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'ing',
      {
        spec: {
          defaultBackend: { service: { name: 's', port: { name: 'http', number: 80 } }, resource: { kind: 'K', name: 'n' } },
          rules: [
            {
              host: '10.0.0.1',
              http: {
                paths: [
                  { pathType: '', backend: { service: { name: '1', port: { name: 'http', number: 80 } } } },
                  { path: 'x', pathType: 'ImplementationSpecific', backend: { resource: { kind: '', name: 'a/b', apiGroup: 'A' } } },
                  { path: '/%2f/.', pathType: 'Prefix', backend: { service: { name: '', port: { number: 70000 } } } },
                ],
              },
            },
            { http: {} },
          ],
          tls: [{ hosts: ['*.a', 'A'], secretName: 'A' }],
          ingressClassName: 'B',
        },
      },
      [
        'spec.defaultBackend: Invalid value: "": cannot set both resource and service backends',
        'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
        'spec.rules[0].http.paths[0].pathType: Unsupported value: "": supported values: "Exact", "ImplementationSpecific", "Prefix"',
        'spec.rules[0].http.paths[0].backend.service.name: Invalid value: "1": a DNS-1035 label must',
        'spec.rules[0].http.paths[0].backend: Invalid value: "": cannot set both port name & port number',
        'spec.rules[0].http.paths[1].path: Invalid value: "x": must be an absolute path',
        'spec.rules[0].http.paths[1].backend.resource.apiGroup: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'spec.rules[0].http.paths[1].backend.resource.kind: Required value: kind is required',
        'spec.rules[0].http.paths[1].backend.resource.name: Invalid value: "a/b": may not contain \'/\'',
        'spec.rules[0].http.paths[2].path: Invalid value: "/%2f/.": must not contain \'%2f\'',
        'spec.rules[0].http.paths[2].path: Invalid value: "/%2f/.": cannot end with \'/.\'',
        'spec.rules[0].http.paths[2].backend.service.name: Required value',
        'spec.rules[0].http.paths[2].backend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.rules[1].http.paths: Required value',
        'spec.tls[0].hosts[1]: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'spec.tls[0].secretName: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'spec.ingressClassName: Invalid value: "B": a lowercase RFC 1123 subdomain',
      ],
    ],
    [
      'ingressclasses',
      { spec: { controller: 'A/b c', parameters: { kind: 'P', name: '..', scope: 'Namespace' } } },
      [
        'spec.controller: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'spec.controller: Invalid value: "b c": Invalid path (e.g. \'acme.io/foo\'',
        'spec.parameters.name: Invalid value: "..": may not be \'..\'',
        "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
      ],
    ],
    [
      'ingressclasses',
      { spec: { controller: '', parameters: { kind: 'P', name: 'p', namespace: 'n' } } },
      ['spec.controller: Required value', "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
    ],
    ['runtimeclasses', { handler: 'A' }, ['handler: Invalid value: "A": a lowercase RFC 1123 label']],
    [
      'runtimeclasses',
      {
        handler: 'a.b',
        overhead: { podFixed: { goats: '1', cpu: '-1' } },
        scheduling: {
          nodeSelector: { 'a b': 'c' },
          tolerations: [
            { key: 'k', operator: 'x' },
            { key: 'k', operator: 'x' },
          ],
        },
      },
      [
        'handler: Invalid value: "a.b": must not contain dots',
        'overhead.limits[goats]: Invalid value: "goats": must be a standard resource type or fully qualified',
        'overhead.limits[goats]: Invalid value: "goats": must be a standard resource for containers',
        'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'scheduling.nodeSelector: Invalid value: "a b": name part must',
        'scheduling.tolerations.tolerations[0].operator: Unsupported value: "x": supported values: "Equal", "Exists"',
        'scheduling.tolerations.tolerations[1].operator: Unsupported value: "x": supported values: "Equal", "Exists"',
        'scheduling.tolerations[1]: Duplicate value: {',
      ],
    ],
    [
      'clusterroles',
      {
        rules: [{ nonResourceURLs: ['/x'], apiGroups: [''] }, {}],
        aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: 'a', operator: 'Odd' }] }] },
      },
      [
        'rules[0].verbs: Required value: verbs must contain at least one value',
        'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
        'rules[1].verbs: Required value: verbs must contain at least one value',
        'rules[1].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[1].resources: Required value: resource rules must supply at least one resource',
        'aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator',
        'aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.',
      ],
    ],
    [
      'clusterroles',
      { aggregationRule: {} },
      ['aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil'],
    ],
    [
      'rolebindings',
      {
        roleRef: { apiGroup: 'x', kind: 'Group', name: 'a/b' },
        subjects: [
          { kind: 'ServiceAccount', name: 'A', apiGroup: 'g' },
          { kind: 'Group', name: '' },
        ],
      },
      [
        'roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
        'roleRef.kind: Unsupported value: "Group": supported values: "Role", "ClusterRole"',
        'roleRef.name: Invalid value: "a/b": may not contain \'/\'',
        'subjects[0].name: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'subjects[0].apiGroup: Unsupported value: "g": supported values: ""',
        'subjects[1].name: Required value',
      ],
    ],
    [
      'csidrivers',
      {
        spec: {
          fsGroupPolicy: 'x',
          tokenRequests: [
            { audience: 'a', expirationSeconds: 5 },
            { audience: 'a', expirationSeconds: 5 },
          ],
          volumeLifecycleModes: ['x'],
        },
      },
      [
        'spec.fsGroupPolicy: Unsupported value: "x": supported values: "File", "None", "ReadWriteOnceWithFSType"',
        'spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes',
        'spec.tokenRequests[1].audience: Duplicate value: "a"',
        'spec.volumeLifecycleModes: Unsupported value: "x": supported values: "Persistent", "Ephemeral"',
      ],
    ],
    [
      'csinodes',
      {
        spec: {
          drivers: [
            { name: 'a.b', nodeID: 'n', topologyKeys: ['k', 'k', ''] },
            { name: 'a.b', nodeID: '', allocatable: { count: -1 } },
            { name: '', nodeID: 'n' },
          ],
        },
      },
      [
        'spec.drivers[0]: Duplicate value: "k"',
        'spec.drivers[0]: Required value',
        'spec.drivers[0]: Invalid value: "": name part must be non-empty',
        'spec.drivers[0]: Invalid value: "": name part must consist of',
        'spec.drivers[1].nodeID: Required value',
        'spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0',
        'spec.drivers[1].name: Duplicate value: "a.b"',
        'spec.drivers[2].name: Required value',
        'spec.drivers[2].name: Invalid value: "": a lowercase RFC 1123 subdomain',
      ],
    ],
    [
      'volumeattachments',
      {
        spec: {
          attacher: 'a.b',
          nodeName: 'n',
          source: {
            inlineVolumeSpec: {
              claimRef: { name: 'c' },
              capacity: { storage: '1' },
              accessModes: ['ReadWriteOnce'],
              persistentVolumeReclaimPolicy: 'Delete',
              nodeAffinity: {},
              nfs: { server: '', path: '/x' },
              storageClassName: 'c',
            },
          },
        },
      },
      [
        'spec.source.inlineVolumeSpec.claimRef: Forbidden: may not be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.persistentVolumeReclaimPolicy: Forbidden: may only be Retain in the context of inline volumes',
        'spec.source.inlineVolumeSpec.nodeAffinity: Forbidden: may not be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.nfs.server: Required value',
        'spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of inline volumes',
      ],
    ],
    [
      'volumeattachments',
      { spec: { attacher: 'A_', nodeName: 'B', source: { persistentVolumeName: 'v', inlineVolumeSpec: {} } } },
      [
        'spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
        'spec.nodeName: Invalid value: "B": a lowercase RFC 1123 subdomain',
        'spec.attacher: Invalid value: "A_": a lowercase RFC 1123 subdomain',
      ],
    ],
    [
      'roles',
      {
        rules: [
          { apiGroups: [''], resources: [] },
          { verbs: ['get'], nonResourceURLs: ['/x'], resources: ['pods'] },
        ],
      },
      [
        'rules[0].verbs: Required value: verbs must contain at least one value',
        'rules[0].resources: Required value: resource rules must supply at least one resource',
        'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
        'rules[1].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
      ],
    ],
    [
      'clusterrolebindings',
      {
        ...role,
        subjects: [
          { kind: 'ServiceAccount', name: 's' },
          { kind: 'Robot', name: '' },
          { kind: 'User', name: 'u', apiGroup: 'x' },
        ],
      },
      [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        'subjects[0].namespace: Required value',
        'subjects[1].name: Required value',
        'subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
        'subjects[2].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
      ],
    ],
    [
      'volumeattachments',
      { spec: { attacher: '', nodeName: 'n', source: {} } },
      [
        'spec.attacher: Required value',
        'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
        'spec.attacher: Required value',
        'spec.attacher: Invalid value: "": a lowercase RFC 1123 subdomain',
      ],
    ],
  ])('%s %#', (name, fields, expected) => {
    expect(startsOf(faults(name, fields), expected)).toEqual(expected);
  });

  test('a new Ingress names one class, not two', () => {
    const spec = { defaultBackend: backend, ingressClassName: 'a' };
    const annotations = { 'kubernetes.io/ingress.class': 'b' };
    expect(faults('ing', { spec }, { annotations })).toEqual([
      'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are specified',
    ]);
    const { kind } = served('ing');
    const object = make('ing', { spec }, { annotations, uid: 'u-1' });
    expect(causes(() => validateChange(kind, object, object))).toEqual([]);
  });
});

describe('changes', () => {
  test.each<[string, object, object, string[]]>([
    [
      'rolebindings',
      { ...role, roleRef: { ...role.roleRef, name: 'other' } },
      role,
      ['roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"other"}: cannot change roleRef'],
    ],
    [
      'ingressclasses',
      { spec: { controller: 'a.b/c' } },
      { spec: { controller: 'a.b/d' } },
      ['spec.controller: Invalid value: "a.b/c": field is immutable'],
    ],
    [
      'ingressclasses',
      { spec: { controller: 'a' } },
      { spec: { controller: 'a.b/d' } },
      [
        'spec.controller: Invalid value: "a": field is immutable',
        'spec.controller: Invalid value: "a": must be a domain-prefixed path (such as "acme.io/foo")',
      ],
    ],
    [
      'secret',
      { type: 'kubernetes.io/tls', data: { '/': '' } },
      { type: 'Opaque', immutable: true },
      [
        'type: Invalid value: "kubernetes.io/tls": field is immutable',
        'immutable: Forbidden: field is immutable when `immutable` is set',
        'data: Forbidden: field is immutable when `immutable` is set',
        'data[/]: Invalid value: "/": a valid config key must consist of',
        'data[tls.crt]: Required value',
        'data[tls.key]: Required value',
      ],
    ],
    [
      'cm',
      { data: { '/': '' } },
      { immutable: true },
      [
        'immutable: Forbidden: field is immutable when `immutable` is set',
        'data: Forbidden: field is immutable when `immutable` is set',
        'data[/]: Invalid value: "/": a valid config key must consist of',
      ],
    ],
    [
      'svc',
      { spec: { clusterIP: '10.0.0.2', ports: [{ port: 0 }] } },
      { spec: { clusterIP: '10.0.0.1', ports: [{ port: 80 }] } },
      [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    ['runtimeclasses', { handler: 'a' }, { handler: 'b' }, ['handler: Invalid value: "a": field is immutable']],
  ])('%s %#', (name, fields, old, expected) => {
    expect(startsOf(changes(name, fields, old), expected)).toEqual(expected);
  });
});
