import { describe, expect, test } from '@jest/globals';
import { changes, faults, make, startsOf } from './testing.ts';

const ports = [{ port: 80 }];
const address = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

describe('a Service', () => {
  test.each<[object, string[]]>([
    [{ clusterIP: 'None' }, []],
    [{ type: 'ExternalName', externalName: 'example.com.' }, []],
    [{ ports, type: 'LoadBalancer', loadBalancerSourceRanges: [' 10.0.0.0/8'], loadBalancerClass: 'a/b' }, []],
    [{ ports, externalIPs: ['192.0.2.1'], externalTrafficPolicy: 'Local' }, []],
    [
      { ports: [{ port: 0, protocol: 'X', targetPort: 'a_b', appProtocol: 'a b' }] },
      [
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        'spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        'spec.ports[0].appProtocol: Invalid value: "a b": name part must consist of',
      ],
    ],
    [
      { ports: [{ name: 'A', port: 80 }, { port: 81 }, { name: 'A', port: 80 }] },
      [
        'spec.ports[0].name: Invalid value: "A": a lowercase RFC 1123 label',
        'spec.ports[1].name: Required value',
        'spec.ports[2].name: Invalid value: "A": a lowercase RFC 1123 label',
        'spec.ports[2].name: Duplicate value: "A"',
        'spec.ports[2]: Duplicate value: {"protocol":"TCP","port":80}',
      ],
    ],
    [
      {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80, nodePort: 30000 },
          { name: 'b', port: 81, nodePort: 30000 },
        ],
      },
      ['spec.ports[1].nodePort: Duplicate value: 30000'],
    ],
    [
      { type: 'ExternalName', externalName: 'A', clusterIP: '10.43.0.9', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
      [
        'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
        'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
        'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
        'spec.externalName: Invalid value: "A": a lowercase RFC 1123 subdomain',
      ],
    ],
    [{ type: 'ExternalName' }, ['spec.externalName: Required value']],
    [
      { ports, type: 'LoadBalancer', clusterIP: 'None' },
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services'],
    ],
    [
      { ports, sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
      ['spec.sessionAffinityConfig: Forbidden: must not be set when session affinity is None'],
    ],
    [
      { ports, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400'],
    ],
    [{ ports, sessionAffinity: 'Maybe' }, ['spec.sessionAffinity: Unsupported value: "Maybe": supported values: "ClientIP", "None"']],
    [
      { ports, clusterIP: '10.43.0.9', clusterIPs: ['10.43.0.8'], ipFamilies: ['IPv4', 'IPv4', 'IPv5'], ipFamilyPolicy: 'x' },
      [
        'spec.clusterIPs: Invalid value: ["10.43.0.8"]: first value must match `clusterIP`',
        'spec.ipFamilies[1]: Duplicate value: "IPv4"',
        'spec.ipFamilies[2]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
        'spec.ipFamilyPolicy: Unsupported value: "x": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
      ],
    ],
    [{ ports, clusterIPs: ['None', '::1'] }, ['spec.clusterIPs: Invalid value: ["None","::1"]: \'None\' must be the first and only value']],
    [
      { ports, clusterIPs: ['10.43.0.9', '10.43.0.8'] },
      ['spec.clusterIPs: Invalid value: ["10.43.0.9","10.43.0.8"]: may specify no more than one IP for each IP family'],
    ],
    [
      { ports, clusterIP: '10.43.0.9', ipFamilies: ['IPv6'] },
      ['spec.clusterIPs[0]: Invalid value: "10.43.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`'],
    ],
    [
      { ports, externalIPs: ['x', '127.0.0.1', '169.254.1.1'] },
      [
        `spec.externalIPs[0]: Invalid value: "x": ${address}`,
        'spec.externalIPs[1]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[2]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
      ],
    ],
    [
      {
        ports,
        loadBalancerSourceRanges: ['10.0.0.0'],
        allocateLoadBalancerNodePorts: true,
        loadBalancerClass: 'a/b',
        healthCheckNodePort: 30000,
      },
      [
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
        "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
    [
      { ports, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'x', trafficDistribution: 'x' },
      [
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        'spec.internalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"',
        'spec.trafficDistribution: Unsupported value: "x": supported values: "PreferClose"',
      ],
    ],
    [
      { ports, type: 'NodePort', externalTrafficPolicy: 'x' },
      ['spec.externalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"'],
    ],
  ])('%j', (spec, wanted) => {
    expect(startsOf(faults('svc', { spec }), wanted)).toEqual(wanted);
  });

  const given = { ports, clusterIP: '10.43.0.9' };
  test.each<[string, object, object, string[]]>([
    [
      'keeps its address',
      given,
      { ports, clusterIP: '10.43.0.8' },
      ['spec.clusterIPs[0]: Invalid value: ["10.43.0.8"]: may not change once set'],
    ],
    [
      'keeps its family',
      given,
      { ...given, ipFamilies: ['IPv6'] },
      [
        'spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set',
        'spec.clusterIPs[0]: Invalid value: "10.43.0.9": expected an IPv6 value',
      ],
    ],
    ['may become a mere name', given, { type: 'ExternalName', externalName: 'a.b' }, []],
    [
      'drops what its former type had',
      { ...given, type: 'LoadBalancer', externalTrafficPolicy: 'Local', loadBalancerClass: 'a/b' },
      { ...given, externalTrafficPolicy: 'Local', allocateLoadBalancerNodePorts: true, loadBalancerClass: 'a/b' },
      [],
    ],
    [
      'keeps its class of load balancer',
      { ...given, type: 'LoadBalancer', loadBalancerClass: 'a/b' },
      { ...given, type: 'LoadBalancer', loadBalancerClass: 'a/c' },
      ['spec.loadBalancerClass: Invalid value: "a/c": may not change once set'],
    ],
  ])('%s', (_name, old, now, wanted) => {
    expect(startsOf(changes('svc', { spec: now }, { spec: old }), wanted)).toEqual(wanted);
  });

  test('has the defaults of its type', () => {
    const defaults = (spec: object): unknown => make('svc', { spec: { ports, ...spec } }).spec;
    const common = { ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }], sessionAffinity: 'None' };
    const cluster = { ...common, internalTrafficPolicy: 'Cluster', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' };
    expect(defaults({})).toEqual({ ...cluster, type: 'ClusterIP' });
    expect(defaults({ type: 'NodePort' })).toEqual({ ...cluster, type: 'NodePort', externalTrafficPolicy: 'Cluster' });
    expect(defaults({ type: 'LoadBalancer' })).toEqual({
      ...cluster,
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
    });
    expect(defaults({ type: 'ExternalName', externalName: 'a' })).toEqual({ ...common, type: 'ExternalName', externalName: 'a' });
  });
});

describe('an autoscaler', () => {
  const scaleTargetRef = { kind: 'Deployment', name: 'x' };
  const spec = { maxReplicas: 3, scaleTargetRef };
  const metric = (fields: object): object => ({ spec: { ...spec, metrics: [fields] } });
  test.each<[object, string[]]>([
    [
      { spec: { minReplicas: 0, maxReplicas: 0, scaleTargetRef: { kind: '', name: 'a/b' } } },
      [
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.scaleTargetRef.kind: Required value',
        'spec.scaleTargetRef.name: Invalid value: "a/b": may not contain \'/\'',
      ],
    ],
    [{ spec: { ...spec, minReplicas: 4 } }, ['spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`']],
    [metric({ type: 'Resource' }), ['spec.metrics[0].resource: Required value: must populate information for the given metric source']],
    [
      metric({ type: 'Odd' }),
      ['spec.metrics[0].type: Unsupported value: "Odd": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"'],
    ],
    [
      metric({ type: 'Resource', resource: { name: '', target: { type: 'Maybe', averageUtilization: 0, averageValue: '-1' } } }),
      [
        'spec.metrics[0].resource.name: Required value: must specify a resource name',
        'spec.metrics[0].resource.target.type: Invalid value: "Maybe": must be either Utilization, Value, or AverageValue',
        'spec.metrics[0].resource.target.averageValue: Invalid value: "-1": must be positive',
        'spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
        'spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization',
      ],
    ],
    [
      metric({
        type: 'Pods',
        pods: { metric: { name: '' }, target: { type: 'AverageValue' } },
        resource: { name: 'cpu', target: { type: 'Utilization' } },
      }),
      [
        'spec.metrics[0].pods.metric.name: Required value: must specify a metric name',
        'spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue',
        'spec.metrics[0].resource: Forbidden: must populate the given metric source only',
      ],
    ],
    [
      metric({ type: 'External', external: { metric: { name: 'q' }, target: { type: 'Value', value: '1', averageValue: '1' } } }),
      ['spec.metrics[0].external.target.value: Forbidden: may not set both a target value for metric and a per-pod target'],
    ],
    [
      metric({ type: 'Object', object: { describedObject: scaleTargetRef, metric: { name: 'q' }, target: { type: 'Value' } } }),
      ['spec.metrics[0].object.target.averageValue: Required value: must set either a target value for metric or a per-pod target'],
    ],
    [
      metric({ type: 'ContainerResource', containerResource: { name: 'cpu', container: '', target: { type: 'Utilization' } } }),
      [
        'spec.metrics[0].containerResource.container: Required value: must specify a container',
        'spec.metrics[0].containerResource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
      ],
    ],
    [
      {
        spec: {
          ...spec,
          behavior: {
            scaleUp: { stabilizationWindowSeconds: 3601, selectPolicy: 'x', policies: [{ type: 'x', value: 0, periodSeconds: 1801 }] },
          },
        },
      },
      [
        'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600',
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "x": supported values: "Disabled", "Max", "Min"',
        'spec.behavior.scaleUp.policies[0].type: Unsupported value: "x": supported values: "Pods", "Percent"',
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800',
      ],
    ],
  ])('%j', (fields, wanted) => {
    expect(startsOf(faults('hpa', fields), wanted)).toEqual(wanted);
  });

  test('aims at 80 % of the CPU, and scales by rules for both directions', () => {
    expect(make('hpa', { spec: { ...spec, behavior: { scaleDown: { selectPolicy: 'Disabled' } } } }).spec).toEqual({
      ...spec,
      minReplicas: 1,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          selectPolicy: 'Max',
          policies: [
            { type: 'Pods', value: 4, periodSeconds: 15 },
            { type: 'Percent', value: 100, periodSeconds: 15 },
          ],
        },
        scaleDown: { selectPolicy: 'Disabled', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
      },
    });
  });
});
