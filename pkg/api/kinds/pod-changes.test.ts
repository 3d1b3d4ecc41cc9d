import { describe, expect, test } from '@jest/globals';
import { deepFreeze } from '../freeze.ts';
import type { KubernetesObject } from '../object.ts';
import { causes, changes, faults, make, served, startsOf } from './testing.ts';

const main = { name: 'a', image: 'i:1' };
/** The spec of a pod with these fields. */
const pod = (fields: object): object => ({ containers: [main], ...fields });
const volumes = [{ name: 'v', emptyDir: {} }];

function expectFaults(found: readonly string[], wanted: readonly string[]): void {
  expect(startsOf(found, wanted)).toEqual(wanted);
}

describe('a pod that is there', () => {
  const gated = { schedulingGates: [{ name: 'a/b' }, { name: 'c/d' }], nodeSelector: { a: 'b' } };
  const terms = (...list: object[]): object => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: list } } },
  });
  const zone = { key: 'zone', operator: 'In', values: ['a'] };
  const fixed =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,';
  test.each<[string, object, object, string[]]>([
    [
      'takes tolerations',
      { tolerations: [{ key: 'a', operator: 'Exists' }] },
      {
        tolerations: [
          { key: 'a', operator: 'Exists' },
          { key: 'b', operator: 'Exists' },
        ],
      },
      [],
    ],
    [
      'tolerates for longer',
      { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }] },
      { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 9 }] },
      [],
    ],
    [
      'does not lose tolerations',
      { tolerations: [{ key: 'a', operator: 'Exists' }] },
      {},
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    ],
    [
      'keeps to its deadline',
      { activeDeadlineSeconds: 5 },
      { activeDeadlineSeconds: 6 },
      ['spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value'],
    ],
    [
      'keeps its deadline',
      { activeDeadlineSeconds: 5 },
      {},
      ['spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value'],
    ],
    ['loses gates', gated, { ...gated, schedulingGates: [{ name: 'c/d' }] }, []],
    [
      'gets no gates',
      {},
      { schedulingGates: [{ name: 'a/b' }] },
      ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a/b'"],
    ],
    ['is narrowed while it is gated', gated, { ...gated, nodeSelector: { a: 'b', c: 'd' }, ...terms({ matchExpressions: [zone] }) }, []],
    [
      'is not widened',
      gated,
      { ...gated, nodeSelector: { c: 'd' } },
      ['spec.nodeSelector: Invalid value: {"c":"d"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)'],
    ],
    [
      'keeps its terms',
      { ...gated, ...terms({ matchExpressions: [zone] }) },
      { ...gated, ...terms({ matchExpressions: [{ ...zone, values: ['b'] }] }) },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: {"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]}: only additions are allowed',
      ],
    ],
    ['is not narrowed later', { nodeSelector: { a: 'b' } }, { nodeSelector: { a: 'b', c: 'd' } }, [fixed]],
    ['keeps its grace', { terminationGracePeriodSeconds: 5 }, { terminationGracePeriodSeconds: 1 }, [fixed]],
    ['gets a grace', { terminationGracePeriodSeconds: -1 }, { terminationGracePeriodSeconds: 1 }, []],
  ])('%s', (_name, old, now, wanted) => {
    expectFaults(changes('pods', { spec: pod(now) }, { spec: pod(old) }), wanted);
  });

  test('says what differs', () => {
    const [fault = ''] = changes('pods', { spec: pod({ hostNetwork: true }) }, { spec: pod({ subdomain: 's' }) });
    expect(fault.split('\n').slice(1)).toEqual(['+ spec.hostNetwork: true', '- spec.subdomain: "s"']);
  });
});

describe('ephemeral containers', () => {
  const { kind } = served('pods');
  const subresource = kind.subresources.find(({ name }) => name === 'ephemeralcontainers');
  const attempt = (containers: object[], before: object[] = []): string[] => {
    const old = deepFreeze(make('pods', { spec: pod({ volumes, ...(before.length === 0 ? {} : { ephemeralContainers: before }) }) }));
    const body = make('pods', { spec: pod({ ephemeralContainers: containers }) });
    return causes(() => {
      const now = subresource?.write?.(old as KubernetesObject, body, 0);
      if (now !== undefined) subresource?.validate?.(now, old).throwIfAny(kind, 'x');
    });
  };

  test('are plain', () => {
    expect(attempt([{ name: 'd', image: 'i', stdin: true, tty: true, targetContainerName: 'a' }])).toEqual([]);
    expectFaults(
      attempt([
        {
          name: 'a',
          image: ' i',
          targetContainerName: 'z',
          ports: [{ containerPort: 1 }],
          resources: { limits: { cpu: '1' } },
          volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 's' }],
        },
      ]),
      [
        'spec.ephemeralContainers[0].image: Invalid value: " i": must not have leading or trailing whitespace',
        'spec.ephemeralContainers[0].name: Duplicate value: "a"',
        'spec.ephemeralContainers[0].targetContainerName: Not found: "z"',
        'spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container',
        'spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container',
        'spec.ephemeralContainers[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container',
      ],
    );
  });

  test('are not created with the pod', () => {
    expect(faults('pods', { spec: pod({ ephemeralContainers: [{ name: 'd', image: 'i' }] }) })).toEqual([
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ]);
  });
});
