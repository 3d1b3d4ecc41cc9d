import { describe, expect, test } from '@jest/globals';
import { faults, startsOf } from './testing.ts';

const main = { name: 'a', image: 'i:1' };
/** The spec of a pod whose one container has these fields. */
const one = (fields: object, more: object = {}): object => ({ containers: [{ ...main, ...fields }], ...more });
/** The spec of a pod with these fields. */
const pod = (fields: object): object => ({ containers: [main], ...fields });
const at = 'spec.containers[0]';
const address = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const mounted = { volumeMounts: [{ name: 'v', mountPath: '/v' }] };
const volumes = [{ name: 'v', emptyDir: {} }];
const qualified =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

function expectFaults(found: readonly string[], wanted: readonly string[]): void {
  expect(startsOf(found, wanted)).toEqual(wanted);
}

describe('containers', () => {
  test.each<[string, object, string[]]>([
    ['none', { containers: [] }, ['spec.containers: Required value']],
    [
      'names and policies',
      one({ name: 'A', image: ' i', terminationMessagePolicy: 'x', imagePullPolicy: 'x' }),
      [
        `${at}.name: Invalid value: "A": a lowercase RFC 1123 label`,
        `${at}.terminationMessagePolicy: Unsupported value: "x": supported values: "File", "FallbackToLogsOnError"`,
        `${at}.imagePullPolicy: Unsupported value: "x": supported values: "Always", "IfNotPresent", "Never"`,
        `${at}.image: Invalid value: " i": must not have leading or trailing whitespace`,
      ],
    ],
    [
      'ports',
      one({
        ports: [
          { containerPort: 0 },
          { name: 'web', containerPort: 80, hostPort: 8080 },
          { name: 'web', containerPort: 81, hostPort: 8080, protocol: 'X' },
          { name: 'a_b', containerPort: 82, hostPort: 99999 },
        ],
      }),
      [
        `${at}.ports[0].containerPort: Required value`,
        `${at}.ports[2].name: Duplicate value: "web"`,
        `${at}.ports[2].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"`,
        `${at}.ports[3].name: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
        `${at}.ports[3].hostPort: Invalid value: 99999: must be between 1 and 65535, inclusive`,
      ],
    ],
    [
      'a port of the node that two want',
      one({
        ports: [
          { containerPort: 80, hostPort: 1 },
          { containerPort: 81, hostPort: 1 },
        ],
      }),
      [`${at}.ports[1].hostPort: Duplicate value: "TCP//1"`],
    ],
    [
      "the node's network",
      one({ ports: [{ containerPort: 80, hostPort: 81 }] }, { hostNetwork: true }),
      [`${at}.ports[0].hostPort: Invalid value: 81: must match \`containerPort\` when \`hostNetwork\` is true`],
    ],
    [
      'environment',
      one({
        env: [
          { name: '' },
          { name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'B', valueFrom: {} },
          { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' }, secretKeyRef: { name: 's', key: 'k' } } },
          { name: 'D', valueFrom: { fieldRef: { fieldPath: 'status.phase' } } },
          { name: 'E', valueFrom: { fieldRef: { fieldPath: 'spec.nope' } } },
          { name: 'F', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '7' } } },
          { name: 'G', valueFrom: { resourceFieldRef: { resource: 'limits.gpu' } } },
          { name: 'H', valueFrom: { secretKeyRef: { name: '', key: '' } } },
          { name: 'I', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a b']" } } },
        ],
        envFrom: [{}, { prefix: 'a=', configMapRef: { name: '' } }, { configMapRef: { name: 'a' }, secretRef: { name: 'B' } }],
      }),
      [
        `${at}.env[0].name: Required value`,
        `${at}.env[1].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
        `${at}.env[2].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\` or \`secretKeyRef\``,
        `${at}.env[3].valueFrom: Invalid value: "": may not have more than one field specified at a time`,
        `${at}.env[4].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName"`,
        `${at}.env[5].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nope": error converting fieldPath: field label not supported: spec.nope`,
        `${at}.env[6].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
        `${at}.env[7].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu"`,
        `${at}.env[8].valueFrom.secretKeyRef.name: Invalid value: "": a lowercase RFC 1123 subdomain`,
        `${at}.env[8].valueFrom.secretKeyRef.key: Required value`,
        `${at}.env[9].valueFrom.fieldRef: Invalid value: "a b": ${qualified}`,
        `${at}.envFrom[0]: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``,
        `${at}.envFrom[1].prefix: Invalid value: "a=": a valid environment variable name`,
        `${at}.envFrom[1].configMapRef.name: Required value`,
        `${at}.envFrom[2].secretRef.name: Invalid value: "B": a lowercase RFC 1123 subdomain`,
        `${at}.envFrom[2]: Invalid value: "": may not have more than one field specified at a time`,
      ],
    ],
    [
      'mounts',
      one(
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v', subPath: '../x' },
            { name: 'v', mountPath: '/v', subPath: 'a', subPathExpr: '/b' },
            { name: '', mountPath: '' },
            { name: 'v', mountPath: '/w', mountPropagation: 'Bidirectional', recursiveReadOnly: 'IfPossible' },
          ],
        },
        { volumes },
      ),
      [
        `${at}.volumeMounts.subPath: Invalid value: "../x": must not contain '..'`,
        `${at}.volumeMounts[1].mountPath: Invalid value: "/v": must be unique`,
        `${at}.volumeMounts[1].subPathExpr: Invalid value: "/b": subPathExpr and subPath are mutually exclusive`,
        `${at}.volumeMounts.subPathExpr: Invalid value: "/b": must be a relative path`,
        `${at}.volumeMounts[2].name: Required value`,
        `${at}.volumeMounts[2].name: Not found: ""`,
        `${at}.volumeMounts[2].mountPath: Required value`,
        `${at}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
        `${at}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true`,
        `${at}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified`,
      ],
    ],
    [
      'huge pages',
      one({ resources: { limits: { 'hugepages-2Mi': '3Mi' } } }),
      [
        `${at}.resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
        `${at}.resources.requests[hugepages-2Mi]: Invalid value: "3Mi"`,
        `${at}.resources: Forbidden: HugePages require cpu or memory`,
      ],
    ],
    [
      'security',
      one({
        securityContext: {
          runAsUser: -1,
          allowPrivilegeEscalation: false,
          privileged: true,
          capabilities: { add: ['CAP_SYS_ADMIN'] },
          seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'x' },
          appArmorProfile: { type: 'Odd' },
        },
      }),
      [
        `${at}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
        `${at}.securityContext.seccompProfile.localhostProfile: Invalid value: {`,
        `${at}.securityContext: Invalid value: {`,
        `${at}.securityContext: Invalid value: {`,
        `${at}.securityContext.appArmorProfile.type: Unsupported value: "Odd": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
      ],
    ],
    [
      'probes and hooks',
      one({
        lifecycle: { preStop: { sleep: { seconds: 60 } }, postStart: {} },
        livenessProbe: { exec: { command: [] }, tcpSocket: { port: 80 }, successThreshold: 2, periodSeconds: -1 },
        readinessProbe: {
          httpGet: { port: 70000, scheme: 'x', httpHeaders: [{ name: 'a b', value: '' }] },
          terminationGracePeriodSeconds: 0,
        },
      }),
      [
        `${at}.lifecycle.postStart: Required value: must specify a handler type`,
        `${at}.lifecycle.preStop.sleep: Invalid value: 60: must be non-negative and less than terminationGracePeriodSeconds (30)`,
        `${at}.livenessProbe.exec.command: Required value`,
        `${at}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`,
        `${at}.livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
        `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
        `${at}.readinessProbe.httpGet.port: Invalid value: 70000: must be between 1 and 65535, inclusive`,
        `${at}.readinessProbe.httpGet.scheme: Unsupported value: "x": supported values: "HTTP", "HTTPS"`,
        `${at}.readinessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of`,
        `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
        `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must not be set for readinessProbes`,
      ],
    ],
    [
      'init containers',
      pod({
        initContainers: [
          {
            ...main,
            restartPolicy: 'Never',
            lifecycle: { preStop: { exec: { command: ['x'] } } },
            livenessProbe: { exec: { command: ['x'] } },
          },
          { name: 'b', image: 'i:1', restartPolicy: 'Always', livenessProbe: { exec: { command: ['x'] } } },
        ],
      }),
      [
        'spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"',
        'spec.initContainers[0].name: Duplicate value: "a"',
        'spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always',
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'a restart policy of its own',
      one({ restartPolicy: 'Always' }),
      [`${at}.restartPolicy: Forbidden: may not be set for non-init containers`],
    ],
    [
      'what may change of resources',
      one(
        {
          resizePolicy: [
            { resourceName: 'cpu', restartPolicy: 'RestartContainer' },
            { resourceName: 'disk', restartPolicy: 'x' },
          ],
        },
        { restartPolicy: 'Never' },
      ),
      [
        `${at}.resizePolicy: Invalid value: "RestartContainer": must be 'NotRequired' when \`restartPolicy\` is 'Never'`,
        `${at}.resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"`,
        `${at}.resizePolicy: Unsupported value: "x": supported values: "NotRequired", "RestartContainer"`,
        `${at}.resizePolicy: Invalid value: "x": must be 'NotRequired'`,
      ],
    ],
  ])('%s', (_name, spec, wanted) => {
    expectFaults(faults('pods', { spec }), wanted);
  });

  test.each<[object, object, string[]]>([
    [{ cpu: '1' }, { cpu: '-1' }, ['requests[cpu]: Invalid value: "-1": must be greater than or equal to 0']],
    [{ cpu: '1' }, { cpu: '1100m' }, ['requests: Invalid value: "1100m": must be less than or equal to cpu limit of 1']],
    [
      {},
      { gpu: '1' },
      [
        'requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      ],
    ],
    [{}, { storage: '1Gi' }, ['requests[storage]: Invalid value: "storage": must be a standard resource for containers']],
    [{ 'example.com/gpu': '2' }, { 'example.com/gpu': '1' }, ['requests: Invalid value: "1": must be equal to example.com/gpu limit of 2']],
    [{}, { 'example.com/gpu': '1' }, ['limits: Required value: Limit must be set for non overcommitable resources']],
    [
      {},
      { 'requests.example.com/gpu': '1' },
      [`requests[requests.example.com/gpu]: Invalid value: "requests.example.com/gpu": doesn't follow extended resource name standard`],
    ],
    [
      { 'example.com/gpu': '1500m' },
      {},
      [
        'limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
        'requests[example.com/gpu]: Invalid value: "1500m": must be an integer',
      ],
    ],
  ])('limits %j and requests %j', (limits, requests, wanted) => {
    expectFaults(
      faults('pods', { spec: one({ resources: { limits, requests } }) }),
      wanted.map((fault) => `${at}.resources.${fault}`),
    );
  });
});

describe('volumes', () => {
  const volume = (source: object): object => one(mounted, { volumes: [{ name: 'v', ...source }] });
  /** A volume that is wrong is none. */
  const unfound = `${at}.volumeMounts[0].name: Not found: "v"`;
  test.each<[object, string[]]>([
    [
      { hostPath: { path: '/a/../b', type: 'Thing' } },
      [
        'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
        'spec.volumes[0].hostPath.type: Unsupported value: "Thing"',
        unfound,
      ],
    ],
    [
      { emptyDir: { sizeLimit: '-1' } },
      ['spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity', unfound],
    ],
    [
      { configMap: { defaultMode: 4096 } },
      [
        'spec.volumes[0].configMap.name: Required value',
        'spec.volumes[0].configMap.defaultMode: Invalid value: 4096: must be a number between 0 and 0777 (octal), both inclusive',
        unfound,
      ],
    ],
    [
      {
        secret: {
          secretName: 's',
          items: [
            { key: '', path: '' },
            { key: 'k', path: '/x', mode: -1 },
            { key: 'k', path: '..x' },
          ],
        },
      },
      [
        'spec.volumes[0].secret.items[0].key: Required value',
        'spec.volumes[0].secret.items[0].path: Required value',
        'spec.volumes[0].secret.items[1].path: Invalid value: "/x": must be a relative path',
        'spec.volumes[0].secret.items[1].mode: Invalid value: -1: must be a number',
        'spec.volumes[0].secret.items[2].path: Invalid value: "..x": must not start with \'..\'',
        unfound,
      ],
    ],
    [{ persistentVolumeClaim: { claimName: '' } }, ['spec.volumes[0].persistentVolumeClaim.claimName: Required value', unfound]],
    [
      {
        downwardAPI: {
          items: [
            { path: 'a' },
            { path: 'b', fieldRef: { fieldPath: 'status.podIP' } },
            { path: 'c', resourceFieldRef: { resource: 'limits.cpu' } },
          ],
        },
      },
      [
        'spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required',
        'spec.volumes[0].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP"',
        'spec.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value',
        unfound,
      ],
    ],
    [
      {
        projected: {
          sources: [
            { secret: { name: 's', items: [{ key: 'k', path: 'p' }] } },
            { configMap: { name: 'c', items: [{ key: 'k', path: 'p' }] }, downwardAPI: {} },
          ],
        },
      },
      [
        'spec.volumes[0].projected: Invalid value: "c": conflicting duplicate paths',
        'spec.volumes[0].projected.sources[1]: Forbidden: may not specify more than 1 volume type per source',
        unfound,
      ],
    ],
    [
      { emptyDir: {}, secret: { secretName: 's' }, configMap: { name: 'c' } },
      [
        'spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type',
        'spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type',
        unfound,
      ],
    ],
  ])('%j', (source, wanted) => {
    expectFaults(faults('pods', { spec: volume(source) }), wanted);
  });

  test('have names, each once', () => {
    expectFaults(
      faults('pods', {
        spec: pod({
          volumes: [
            { name: '', emptyDir: {} },
            { name: 'v', emptyDir: {} },
            { name: 'v', emptyDir: {} },
          ],
        }),
      }),
      ['spec.volumes[0].name: Required value', 'spec.volumes[2].name: Duplicate value: "v"'],
    );
  });
});

describe('the pod itself', () => {
  const term = { topologyKey: 'zone', labelSelector: { matchLabels: { a: 'b' } } };
  test.each<[string, object, string[]]>([
    [
      'policies and names',
      {
        dnsPolicy: 'x',
        nodeSelector: { 'a b': 'c' },
        serviceAccountName: 'A',
        nodeName: 'B_',
        activeDeadlineSeconds: 0,
        hostname: 'x.y',
        priorityClassName: 'P',
        preemptionPolicy: 'Maybe',
        os: { name: 'beos' },
      },
      [
        'spec.dnsPolicy: Unsupported value: "x": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
        `spec.nodeSelector: Invalid value: "a b": ${qualified}`,
        'spec.serviceAccountName: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'spec.nodeName: Invalid value: "B_": a lowercase RFC 1123 subdomain',
        'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
        'spec.hostname: Invalid value: "x.y": must not contain dots',
        'spec.priorityClassName: Invalid value: "P": a lowercase RFC 1123 subdomain',
        'spec.preemptionPolicy: Unsupported value: "Maybe": supported values: "PreemptLowerPriority", "Never"',
        'spec.os: Unsupported value: "beos": supported values: "linux", "windows"',
      ],
    ],
    [
      'security',
      {
        hostPID: true,
        hostIPC: true,
        hostNetwork: true,
        shareProcessNamespace: true,
        securityContext: {
          fsGroup: -1,
          supplementalGroups: [1, -2],
          sysctls: [
            { name: 'net.ipv4.ip_forward', value: '1' },
            { name: 'kernel/shmmax', value: '1' },
            { name: 'A', value: '' },
            { name: '', value: '' },
          ],
          fsGroupChangePolicy: 'x',
        },
      },
      [
        'spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive',
        'spec.securityContext.supplementalGroups[1]: Invalid value: -2: must be between',
        'spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
        'spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.ip_forward": may not be specified when \'hostNetwork\' is true',
        'spec.securityContext.sysctls[1].name: Invalid value: "kernel/shmmax": may not be specified when \'hostIPC\' is true',
        'spec.securityContext.sysctls[2].name: Invalid value: "A": must have at most 253 characters and match regex',
        'spec.securityContext.sysctls[3].name: Required value',
        'spec.securityContext.fsGroupChangePolicy: Unsupported value: "x": supported values: "Always", "OnRootMismatch"',
      ],
    ],
    ['no names server', { dnsPolicy: 'None' }, ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None']],
    [
      'no name server given',
      { dnsPolicy: 'None', dnsConfig: {} },
      ['spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None'],
    ],
    [
      'names',
      { dnsConfig: { nameservers: ['1.1.1.1', 'x', '1.1.1.2', '1.1.1.3'], searches: ['.', 'a_b.c.', 'A'], options: [{ value: '1' }] } },
      [
        'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","x","1.1.1.2","1.1.1.3"]: must not have more than 3 nameservers',
        `spec.dnsConfig.nameservers[1]: Invalid value: "x": ${address}`,
        'spec.dnsConfig.searches[2]: Invalid value: "A": a lowercase RFC 1123 subdomain',
        'spec.dnsConfig.options[0]: Required value: must not be empty',
      ],
    ],
    [
      'gates',
      { readinessGates: [{ conditionType: 'a b' }], schedulingGates: [{ name: 'a/b' }, { name: 'a/b' }, { name: '' }] },
      [
        `spec.readinessGates[0].conditionType: Invalid value: "a b": ${qualified}`,
        'spec.schedulingGates[1]: Duplicate value: "a/b"',
        'spec.schedulingGates[2]: Invalid value: "": name part must be non-empty',
        `spec.schedulingGates[2]: Invalid value: "": ${qualified}`,
      ],
    ],
    [
      'a node for a gated pod',
      { nodeName: 'n', schedulingGates: [{ name: 'a/b' }] },
      ['spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared'],
    ],
    [
      'affinity to nodes',
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [
                    { key: 'a b', operator: 'In', values: ['x y'] },
                    { key: 'k', operator: 'Gt', values: [] },
                    { key: 'k', operator: 'Near' },
                  ],
                },
                { matchFields: [{ key: 'metadata.uid', operator: 'In', values: ['a', 'b'] }] },
              ],
            },
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 0, preference: { matchExpressions: [{ key: 'k', operator: 'Exists', values: ['x'] }] } },
            ],
          },
        },
      },
      [
        `spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: Invalid value: "a b": ${qualified}`,
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value: "x y": a valid label must be',
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].operator: Invalid value: "Near": not a valid selector operator',
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1].matchFields[0].values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1].matchFields[0].key: Invalid value: "metadata.uid": not a valid field selector key',
        'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100',
        "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      ],
    ],
    [
      'affinity to pods',
      {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { ...term, topologyKey: '', namespaces: ['N'] },
              { topologyKey: 'z', matchLabelKeys: ['a'] },
            ],
          },
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 101, podAffinityTerm: { topologyKey: 'z', labelSelector: { matchExpressions: [{ key: 'k', operator: 'Odd' }] } } },
              { weight: 1, podAffinityTerm: { ...term, matchLabelKeys: ['k'], mismatchLabelKeys: ['k'] } },
            ],
          },
        },
      },
      [
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace: Invalid value: "N": a lowercase RFC 1123 label',
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty',
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty',
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: ""',
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
        'spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100',
        'spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector.matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator',
        'spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[1].podAffinityTerm.matchLabelKeys[0]: Invalid value: "k": exists in both matchLabelKeys and mismatchLabelKeys',
      ],
    ],
    [
      'spread',
      {
        topologySpreadConstraints: [
          { maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'x', minDomains: 0 },
          { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', nodeAffinityPolicy: 'x', matchLabelKeys: ['a'] },
          {
            maxSkew: 1,
            topologyKey: 'z',
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels: { a: 'b' } },
            matchLabelKeys: ['a'],
          },
        ],
      },
      [
        'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero',
        'spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty',
        'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "x": supported values: "DoNotSchedule", "ScheduleAnyway"',
        'spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero',
        'spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not x',
        'spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, ScheduleAnyway}"',
        'spec.topologySpreadConstraints[1].nodeAffinityPolicy: Unsupported value: "x": supported values: "Honor", "Ignore"',
        'spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
        'spec.topologySpreadConstraints[2].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector',
      ],
    ],
    [
      'tolerations',
      {
        tolerations: [
          { key: 'a b', operator: 'Exists', value: 'x', effect: 'Sometimes' },
          { key: 'k', operator: 'Near', tolerationSeconds: 5 },
          { key: 'k', value: 'x y' },
        ],
      },
      [
        `spec.tolerations[0].key: Invalid value: "a b": ${qualified}`,
        'spec.tolerations[0].operator: Invalid value: "x": value must be empty when `operator` is \'Exists\'',
        'spec.tolerations[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        'spec.tolerations[1].effect: Invalid value: "": effect must be \'NoExecute\' when `tolerationSeconds` is set',
        'spec.tolerations[1].operator: Unsupported value: "Near": supported values: "Equal", "Exists"',
        'spec.tolerations[2].operator: Invalid value: "x y": a valid label must be an empty string or consist of',
      ],
    ],
    ['pull secrets may be without a name', { imagePullSecrets: [{}] }, []],
  ])('%s', (_name, fields, wanted) => {
    expectFaults(faults('pods', { spec: pod(fields) }), wanted);
  });

  test('annotations that mean something', () => {
    const annotations = { 'kubernetes.io/config.mirror': 'x', 'controller.kubernetes.io/pod-deletion-cost': '1.5' };
    expectFaults(faults('pods', { spec: pod({}) }, { annotations }), [
      'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set',
      'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "1.5": must be a 32bit integer',
    ]);
  });
});
