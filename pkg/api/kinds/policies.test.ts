import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../object.ts';
import { changes, faults, long, make, now, row, served, startsOf } from './testing.ts';

const selector = { matchLabels: { a: 'b' } };
const role = { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' } };
const backend = { service: { name: 's', port: { number: 80 } } };
const webhook = {
  name: 'a.example.com',
  clientConfig: { service: { name: 's', namespace: 'n' } },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n').toString('base64');
const constraints = { resourceRules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }] };

describe('what is right', () => {
  test.each<[string, object]>([
    ['pdb', { spec: { minAvailable: '50%', selector } }],
    [
      'quota',
      {
        spec: {
          hard: {
            pods: '10',
            'requests.cpu': '2',
            'count/deployments.apps': '3',
            'fast.storageclass.storage.k8s.io/requests.storage': '1Gi',
          },
        },
      },
    ],
    ['quota', { spec: { hard: { pods: '1' }, scopes: ['BestEffort'] } }],
    [
      'quota',
      {
        spec: {
          hard: { pods: '1' },
          scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
        },
      },
    ],
    ['limits', { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { cpu: '100m' }, default: { cpu: '1' } }] } }],
    ['ep', { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] }],
    [
      'netpol',
      {
        spec: {
          podSelector: {},
          ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80 }] }],
        },
      },
    ],
    ['ing', { spec: { rules: [{ host: '*.example.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] } }],
    ['ing', { spec: { defaultBackend: backend, tls: [{ hosts: ['a.b'], secretName: 'c' }] } }],
    ['ingressclasses', { spec: { controller: 'example.com/x', parameters: { kind: 'P', name: 'p' } } }],
    ['runtimeclasses', { handler: 'runc' }],
    ['roles', { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }],
    ['clusterroles', { rules: [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }] }],
    [
      'rolebindings',
      {
        ...role,
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', name: 's', namespace: 'n' },
        ],
      },
    ],
    ['csr', { spec: { request, signerName: 'example.com/signer', usages: ['client auth'] } }],
    ['csidrivers', { spec: {} }],
    ['csinodes', { spec: { drivers: [{ name: 'a.b', nodeID: 'n' }] } }],
    ['csistoragecapacities', { storageClassName: 'c', capacity: '1Gi' }],
    ['volumeattachments', { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'v' } } }],
    ['vac', { driverName: 'a.b', parameters: { iops: '5' } }],
    ['validatingwebhookconfigurations', { webhooks: [webhook] }],
    ['mutatingwebhookconfigurations', { webhooks: [{ ...webhook, clientConfig: { url: 'https://a.b/c' } }] }],
    ['validatingadmissionpolicies', { spec: { matchConstraints: constraints, validations: [{ expression: 'true' }] } }],
    ['validatingadmissionpolicybindings', { spec: { policyName: 'p', validationActions: ['Deny'] } }],
    [
      'mutatingadmissionpolicies',
      { spec: { matchConstraints: constraints, mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: '[]' } }] } },
    ],
    ['mutatingadmissionpolicybindings', { spec: { policyName: 'p' } }],
    [
      'flowschemas',
      {
        spec: {
          priorityLevelConfiguration: { name: 'p' },
          rules: [
            {
              subjects: [{ kind: 'User', user: { name: 'u' } }],
              resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true }],
            },
          ],
        },
      },
    ],
    ['prioritylevelconfigurations', { spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue' } } } }],
    ['servicecidrs', { spec: { cidrs: ['10.0.0.0/16', 'fd00::/64'] } }],
  ])('%s %#', (name, fields) => {
    expect(faults(name, fields)).toEqual([]);
  });
});

describe('what is wrong', () => {
  test.each<[string, object, string[]]>([
    [
      'pdb',
      { spec: { minAvailable: 1, maxUnavailable: '120%', selector, unhealthyPodEvictionPolicy: 'Sometimes' } },
      [
        'spec: Invalid value: {',
        'spec.maxUnavailable: Invalid value: "120%": must not be greater than 100%',
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Sometimes": supported values: "AlwaysAllow", "IfHealthyBudget"',
      ],
    ],
    [
      'quota',
      { spec: { hard: { pods: '1500m', goats: '1' }, scopes: ['BestEffort', 'NotBestEffort', 'Odd'] } },
      [
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.hard[goats]: Invalid value: "goats": must be a standard resource for quota',
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: unsupported scope',
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: conflicting scopes',
      ],
    ],
    [
      'quota',
      { spec: { hard: { cpu: '1' }, scopes: ['BestEffort'] } },
      ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
    ],
    [
      'quota',
      {
        spec: {
          scopeSelector: {
            matchExpressions: [
              { scopeName: 'PriorityClass', operator: 'In' },
              { scopeName: 'Terminating', operator: 'In', values: ['x'] },
            ],
          },
        },
      },
      [
        "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        'spec.scopeSelector.matchExpressions.operator: Invalid value: "In": must be \'Exists\' when scope is any of',
      ],
    ],
    [
      'limits',
      {
        spec: {
          limits: [
            { type: 'Container', min: { cpu: '3' }, max: { cpu: '2' }, maxLimitRequestRatio: { memory: '500m' } },
            { type: 'Container' },
          ],
        },
      },
      [
        'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": min value 3 is greater than default request value 2',
        'spec.limits[0].default[cpu]: Invalid value: "3": min value 3 is greater than default value 2',
        'spec.limits[0].maxLimitRequestRatio[memory]: Invalid value: "500m": ratio 500m is less than 1',
        'spec.limits[1].type: Duplicate value: "Container"',
      ],
    ],
    [
      'limits',
      { spec: { limits: [{ type: 'Pod', default: { cpu: '1' } }, { type: 'PersistentVolumeClaim' }, { type: 'Goat' }] } },
      [
        "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
        'spec.limits[1].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
        'spec.limits[2].type: Invalid value: "Goat": must be a standard limit type or fully qualified',
      ],
    ],
    [
      'ep',
      { subsets: [{}, { addresses: [{ ip: '127.0.0.1' }, { ip: 'x' }], ports: [{ port: 0 }, { name: 'b', port: 1 }] }] },
      [
        'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
        'subsets[1].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'subsets[1].addresses[1].ip: Invalid value: "x": must be a valid IP address',
        'subsets[1].ports[0].name: Required value',
        'subsets[1].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'csr',
      { spec: { request, signerName: 'A/b', usages: ['any', 'any', 'fun'] } },
      [
        'spec.usages[2]: Unsupported value: "fun": supported values: "any"',
        'spec.usages[1]: Duplicate value: "any"',
        'spec.signerName: Invalid value: "A": validating label "A": a lowercase RFC 1123 label must',
        'spec.signerName: Invalid value: "A": should be a domain with at least two segments separated by dots',
      ],
    ],
    [
      'csr',
      { spec: { request, signerName: 'kubernetes.io/legacy-unknown', usages: [] } },
      [
        'spec.usages: Required value',
        'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
      ],
    ],
    [
      'csr',
      { spec: { request: 'AAAA', signerName: 'x', usages: ['fun'], expirationSeconds: 5 } },
      [
        'spec.request: Invalid value: "AAAA": PEM block type must be CERTIFICATE REQUEST',
        'spec.usages[0]: Unsupported value: "fun": supported values: "any"',
        'spec.signerName: Invalid value: "x": must be a fully qualified domain and path of the form \'example.com/signer-name\'',
        'spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)',
      ],
    ],
    ['vac', { driverName: 'a.b' }, ['parameters: Required value: must contain at least one key/value pair']],
    [
      'validatingwebhookconfigurations',
      {
        webhooks: [
          {
            name: 'short.name',
            clientConfig: { url: 'http://a:b@c/d?e#f' },
            rules: [{ operations: ['*', 'CREATE'], apiGroups: [], apiVersions: ['v1', '*'], resources: ['pods/*', 'pods/status'] }],
            timeoutSeconds: 60,
            failurePolicy: 'Shrug',
            admissionReviewVersions: ['v9'],
          },
        ],
      },
      [
        'webhooks[0].name: Invalid value: "short.name": should be a domain with at least three segments separated by dots',
        'webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
        'webhooks[0].rules[0].apiGroups: Required value',
        'webhooks[0].rules[0].apiVersions: Invalid value: ["v1","*"]: if \'*\' is present, must not specify other API versions',
        'webhooks[0].rules[0].resources[1]: Invalid value: "pods/status": if \'pods/*\' is present, must not specify pods/status',
        'webhooks[0].failurePolicy: Unsupported value: "Shrug": supported values: "Fail", "Ignore"',
        'webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun',
        'webhooks[0].timeoutSeconds: Invalid value: 60: the timeout value must be between 1 and 30 seconds',
        'webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme',
        'webhooks[0].clientConfig.url: Invalid value: "a": user information is not permitted in the URL',
        'webhooks[0].clientConfig.url: Invalid value: "f": fragments are not permitted in the URL',
        'webhooks[0].clientConfig.url: Invalid value: "e": query parameters are not permitted in the URL',
        'webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
      ],
    ],
    [
      'validatingadmissionpolicybindings',
      { spec: { policyName: '', validationActions: ['Deny', 'Warn', 'Shout'] } },
      [
        'spec.policyName: Required value',
        'spec.validationActions[2]: Unsupported value: "Shout": supported values: "Audit", "Deny", "Warn"',
        'spec.validationActions: Invalid value: ["Deny","Warn","Shout"]: must not contain both Deny and Warn',
      ],
    ],
    [
      'flowschemas',
      { spec: { matchingPrecedence: 20000, priorityLevelConfiguration: {}, rules: [{ subjects: [{ kind: 'User' }] }] } },
      [
        'spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000',
        'spec.priorityLevelConfiguration.name: Required value: must reference a priority level',
        "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
        'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
      ],
    ],
    [
      'prioritylevelconfigurations',
      {
        spec: { type: 'Limited', limited: { lendablePercent: 200, limitResponse: { type: 'Queue', queuing: { queues: 2, handSize: 5 } } } },
      },
      [
        'spec.limited.limitResponse.queuing.handSize: Invalid value: 5: should not be greater than queues (2)',
        'spec.limited.lendablePercent: Invalid value: 200: must be between 0 and 100, inclusive',
      ],
    ],
    [
      'servicecidrs',
      { spec: { cidrs: ['10.0.0.0/16', '10.1.0.0/16'] } },
      ['spec.cidrs: Invalid value: {"cidrs":["10.0.0.0/16","10.1.0.0/16"]}: may specify no more than one IP'],
    ],
    [
      'servicecidrs',
      { spec: { cidrs: ['10.0.0.1/16'] } },
      ['spec.cidrs[0]: Invalid value: "10.0.0.1/16": wrong CIDR format, IP doesn\'t match network IP address'],
    ],
  ])('%s %#', (name, fields, expected) => {
    const found = faults(name, fields);
    expect(found.map((fault, index) => fault.slice(0, expected[index]?.length))).toEqual(expected);
  });

  test('an IPAddress is named by its address', () => {
    const fields = { spec: { parentRef: { resource: 'services', name: 's', namespace: 'n' } } };
    expect(faults('ip', fields, { name: '10.0.0.1' })).toEqual([]);
    expect(faults('ip', fields, { name: 'ten' })).toHaveLength(1);
  });
});

describe('changes', () => {
  test.each<[string, object, object, string[]]>([
    [
      'quota',
      { spec: { hard: { pods: '2' }, scopes: ['BestEffort'] } },
      { spec: { hard: { pods: '1' } } },
      ['spec.scopes: Invalid value: ["BestEffort"]: field is immutable'],
    ],
    ['quota', { spec: { hard: { pods: '2' } } }, { spec: { hard: { pods: '1' } } }, []],
    [
      'vac',
      { driverName: 'a.b', parameters: { a: '2' } },
      { driverName: 'a.b', parameters: { a: '1' } },
      ['parameters: Forbidden: updates to parameters are forbidden.'],
    ],
    [
      'servicecidrs',
      { spec: { cidrs: ['10.0.0.0/16'] } },
      { spec: { cidrs: ['10.1.0.0/16'] } },
      ['spec.cidrs: Invalid value: ["10.0.0.0/16"]: field is immutable'],
    ],
    ['csr', { spec: { request, signerName: 'x.y/other' } }, { spec: { request, signerName: 'x.y/z', usages: ['any'] } }, []],
  ])('%s %#', (name, fields, old, expected) => {
    expect(startsOf(changes(name, fields, old), expected)).toEqual(expected);
  });

  test('of who may sign: through approval alone, and not taken back', () => {
    const { kind } = served('csr');
    const object = make('csr', { spec: { request, signerName: 'x.y/z' } });
    const approval = kind.subresources.find(({ name }) => name === 'approval');
    const approve = (...types: string[]): object => ({
      ...object,
      status: { conditions: types.map((type) => ({ type, status: 'True' })) },
    });
    const approved = approval?.write?.(object, approve('Approved', 'Failed') as KubernetesObject, now);
    expect(approved).toMatchObject({ status: { conditions: [{ type: 'Approved' }] } });
    expect(approval?.validate?.(approved as KubernetesObject, object).list).toEqual([]);
    const judge = (next: object, old: unknown): string[] =>
      (approval?.validate?.(next as KubernetesObject, old as KubernetesObject).list ?? []).map(({ message }) => message);
    expect(judge(approve(), approved)).toEqual(['Forbidden: updates may not remove a condition of type "Approved"']);
    expect(judge(approve('Approved', 'Denied'), object)).toEqual([
      'Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ]);
    expect(judge(approve('Approved', 'Approved'), object)).toEqual(['Duplicate value: "Approved"']);
    const odd = { ...object, status: { conditions: [{ type: '' }, { type: 'Failed', status: 'False' }] } };
    expect(judge(odd, object)).toEqual(['Required value', 'Required value', 'Unsupported value: "False": supported values: "True"']);
    const status = kind.subresources.find(({ name }) => name === 'status');
    const written = (next: object, old: unknown): string[] =>
      (status?.validate?.(next as KubernetesObject, old as KubernetesObject).list ?? []).map(({ message }) => message);
    expect(written(approve('Approved'), object)).toEqual(['Forbidden: updates may not add a condition of type "Approved"']);
    expect(written(approve(), approve('Failed'))).toEqual(['Forbidden: updates may not remove a condition of type "Failed"']);
    const given = (certificate?: string): object => ({ ...object, status: { certificate } });
    expect(written(given('AAAA'), object)).toEqual([]);
    expect(written(given('BBBB'), given('AAAA'))).toEqual(['Forbidden: updates may not modify existing certificate content']);
  });
});

describe('what the user left open', () => {
  test('a limit range follows from what it says', () => {
    const { spec } = make('limits', {
      spec: { limits: [{ type: 'Container', max: { cpu: '2', memory: '1Gi' }, min: { cpu: '1' }, default: { memory: '512Mi' } }] },
    });
    expect(spec).toMatchObject({
      limits: [{ default: { cpu: '2', memory: '512Mi' }, defaultRequest: { cpu: '2', memory: '512Mi' } }],
    });
  });

  test('a network policy is about what it has rules for', () => {
    expect(make('netpol', { spec: { podSelector: {} } }).spec).toMatchObject({ policyTypes: ['Ingress'] });
    expect(make('netpol', { spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } }).spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
    });
  });

  test('bindings name their group', () => {
    expect(make('rolebindings', { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'Group', name: 'g' }] })).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io' }],
    });
  });
});

describe('rows', () => {
  test.each<[string, object, object, unknown[]]>([
    ['pdb', { spec: { maxUnavailable: 1, selector }, status: { disruptionsAllowed: 2 } }, {}, ['x', 'N/A', '1', 2, '60m']],
    [
      'quota',
      {
        spec: { hard: { pods: '5' } },
        status: { hard: { 'limits.cpu': '2', 'requests.cpu': '1', pods: '5' }, used: { pods: '3', 'limits.cpu': '500m' } },
      },
      {},
      ['x', 'pods: 3/5, requests.cpu: 0/1', 'limits.cpu: 500m/2', '60m'],
    ],
    ['limits', { spec: { limits: [] } }, {}, ['x', long]],
    [
      'ep',
      { subsets: [{ addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], ports: [{ port: 80 }, { name: 'b', port: 81 }] }] },
      {},
      ['x', '10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...', '60m'],
    ],
    ['ep', {}, {}, ['x', '<none>', '60m']],
    ['netpol', { spec: { podSelector: selector } }, {}, ['x', 'a=b', '60m']],
    [
      'ing',
      { spec: { ingressClassName: 'c', rules: [{ host: 'a.b' }], tls: [{}] }, status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } },
      {},
      ['x', 'c', 'a.b', '1.2.3.4', '80, 443', '60m'],
    ],
    ['ing', { spec: { defaultBackend: backend } }, {}, ['x', '<none>', '*', '', '80', '60m']],
    [
      'ingressclasses',
      { spec: { controller: 'a.b/c', parameters: { apiGroup: 'g', kind: 'K', name: 'n' } } },
      {},
      ['x', 'a.b/c', 'K.g/n', '60m'],
    ],
    ['runtimeclasses', { handler: 'runc' }, {}, ['x', 'runc', '60m']],
    ['roles', {}, {}, ['x', long]],
    [
      'rolebindings',
      {
        ...role,
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'User', name: 'v' },
          { kind: 'ServiceAccount', name: 's', namespace: 'n' },
        ],
      },
      {},
      ['x', 'Role/r', '60m', 'u, v', '', 'n/s'],
    ],
    [
      'csr',
      {
        spec: { request, signerName: 'a.b/c', username: 'me', expirationSeconds: 3600 },
        status: { certificate: 'AAAA', conditions: [{ type: 'Approved', status: 'True' }] },
      },
      {},
      ['x', '60m', 'a.b/c', 'me', '60m', 'Approved,Issued'],
    ],
    ['csidrivers', { spec: {} }, {}, ['x', true, false, false, '<unset>', false, 'Persistent', '60m']],
    ['csinodes', { spec: { drivers: [{ name: 'a', nodeID: 'n' }] } }, {}, ['x', 1, '60m']],
    ['csistoragecapacities', { storageClassName: 'c' }, {}, ['x', 'c', '<unset>']],
    [
      'volumeattachments',
      { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'v' } } },
      {},
      ['x', 'a', 'v', 'n', false, '60m'],
    ],
    ['vac', { driverName: 'd' }, {}, ['x', 'd', '60m']],
    ['validatingwebhookconfigurations', { webhooks: [webhook] }, {}, ['x', 1, '60m']],
    [
      'validatingadmissionpolicies',
      { spec: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, validations: [{ expression: 'true' }] } },
      {},
      ['x', 1, 'v1/ConfigMap', '60m'],
    ],
    [
      'validatingadmissionpolicybindings',
      { spec: { policyName: 'p', paramRef: { name: 'n', namespace: 'm' } } },
      {},
      ['x', 'p', 'm/n', '60m'],
    ],
    ['mutatingadmissionpolicies', { spec: {} }, {}, ['x', 0, '<unset>', '60m']],
    ['flowschemas', { spec: { priorityLevelConfiguration: { name: 'p' } } }, {}, ['x', 'p', 1000, '<none>', '60m', '?']],
    [
      'prioritylevelconfigurations',
      { spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue' } } } },
      {},
      ['x', 'Limited', 30, 64, 8, 50, '60m'],
    ],
    [
      'resourceclaims',
      { spec: {}, status: { allocation: {}, reservedFor: [{ name: 'p', resource: 'pods', uid: 'u' }] } },
      {},
      ['x', 'allocated,reserved', '60m'],
    ],
    ['resourceslices', { spec: { nodeName: 'n', driver: 'd', pool: { name: 'p' } } }, {}, ['x', 'n', 'd', 'p', '60m']],
    ['crd', { spec: {} }, {}, ['x', long]],
    [
      'apiservices',
      {
        spec: { service: { namespace: 'n', name: 's' } },
        status: { conditions: [{ type: 'Available', status: 'False', reason: 'Gone' }] },
      },
      {},
      ['x', 'n/s', 'False (Gone)', '60m'],
    ],
    ['servicecidrs', { spec: { cidrs: ['10.0.0.0/16'] } }, {}, ['x', '10.0.0.0/16', '60m']],
    ['ip', { spec: { parentRef: { resource: 'services', name: 's', namespace: 'n' } } }, {}, ['x', 'services/n/s']],
  ])('%s %#', (name, fields, metadata, expected) => {
    expect(row(name, fields, metadata)).toEqual(expected);
  });
});
