import { describe, expect, test } from '@jest/globals';
import { deepFreeze } from '../freeze.ts';
import { validateChange } from '../registry.ts';
import { causes, changes, faults, make, row, served } from './testing.ts';

const container = { name: 'c', image: 'i:1' };
const labels = { a: 'b' };
const template = { metadata: { labels }, spec: { containers: [container] } };
const once = { metadata: { labels }, spec: { restartPolicy: 'Never', containers: [container] } };
const selector = { matchLabels: labels };
const jobTemplate = { spec: { template: once } };

/** A Job as it is stored, so that it can be changed. */
function stored(spec: object): { spec: object } {
  const object = make('jobs', { spec }, { uid: 'u-1' });
  served('jobs').kind.beforeCreate?.(object);
  return { spec: object.spec };
}

describe('what is right', () => {
  test.each<[string, object]>([
    ['jobs', { spec: { template: once } }],
    [
      'jobs',
      { spec: { completions: 3, parallelism: 2, completionMode: 'Indexed', backoffLimitPerIndex: 1, maxFailedIndexes: 2, template: once } },
    ],
    [
      'jobs',
      {
        spec: {
          template: once,
          podFailurePolicy: {
            rules: [
              { action: 'FailJob', onExitCodes: { operator: 'In', values: [3, 42], containerName: 'c' } },
              { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
            ],
          },
        },
      },
    ],
    [
      'jobs',
      {
        spec: {
          completions: 5,
          completionMode: 'Indexed',
          template: once,
          successPolicy: { rules: [{ succeededIndexes: '0,2-3', succeededCount: 2 }] },
        },
      },
    ],
    ['cj', { spec: { schedule: '*/5 * * * *', timeZone: 'Europe/Berlin', jobTemplate } }],
    ['ds', { spec: { selector, template } }],
    ['ds', { spec: { selector, template, updateStrategy: { rollingUpdate: { maxSurge: '10%', maxUnavailable: 0 } } } }],
    ['sts', { spec: { selector, template, serviceName: 's' } }],
    [
      'sts',
      {
        spec: {
          selector,
          template: {
            metadata: { labels },
            spec: { containers: [{ ...container, volumeMounts: [{ name: 'data', mountPath: '/data' }] }] },
          },
          volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
        },
      },
    ],
    ['rc', { spec: { template } }],
    ['podtemplates', { template }],
    ['controllerrevisions', { data: { spec: {} }, revision: 1 }],
  ])('%s %#', (name, fields) => {
    expect(faults(name, fields)).toEqual([]);
  });
});

describe('what is wrong', () => {
  test.each<[string, object, string[]]>([
    ['jobs', { spec: { template } }, ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']],
    [
      'jobs',
      { spec: { parallelism: -1, backoffLimit: -1, template: once } },
      [
        'spec.parallelism: Invalid value: -1: must be greater than or equal to 0',
        'spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    [
      'jobs',
      { spec: { completionMode: 'Sorted', backoffLimitPerIndex: 1, template: once } },
      ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"'],
    ],
    [
      'jobs',
      { spec: { parallelism: 2, completionMode: 'Indexed', template: once } },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      'jobs',
      { spec: { backoffLimitPerIndex: 1, template: once } },
      ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
    ],
    [
      'jobs',
      { spec: { managedBy: 'me', template: once } },
      ['spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'jobs',
      {
        spec: {
          template: { ...once, spec: { ...once.spec, restartPolicy: 'OnFailure' } },
          podReplacementPolicy: 'TerminatingOrFailed',
          podFailurePolicy: {
            rules: [
              { action: '', onExitCodes: { operator: 'In', values: [0, 5, 3, 3], containerName: 'z' } },
              { action: 'FailIndex' },
              { action: 'Count', onPodConditions: [{ type: 'x y', status: 'Maybe' }] },
            ],
          },
        },
      },
      [
        'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "z": must be one of the container or initContainer names in the pod template',
        'spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator',
        'spec.podFailurePolicy.rules[0].onExitCodes.values[3]: Duplicate value: 3',
        'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [0,5,3,3]: must be ordered',
        'spec.podFailurePolicy.rules[1].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        'spec.podFailurePolicy.rules[1]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
        'spec.podFailurePolicy.rules[2].onPodConditions[0].type: Invalid value: "x y": name part must consist of alphanumeric characters',
        'spec.podFailurePolicy.rules[2].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
    ],
    [
      'jobs',
      {
        spec: {
          completions: 3,
          completionMode: 'Indexed',
          template: once,
          successPolicy: {
            rules: [{}, { succeededIndexes: '2,1' }, { succeededIndexes: '0-1', succeededCount: 3 }, { succeededIndexes: '7' }],
          },
        },
      },
      [
        'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
        'spec.successPolicy.rules[1].succeededIndexes: Invalid value: "2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1',
        'spec.successPolicy.rules[2].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)',
        'spec.successPolicy.rules[3].succeededIndexes: Invalid value: "7": error parsing succeededIndexes: too large index: "7"',
      ],
    ],
    ['cj', { spec: { schedule: '', jobTemplate } }, ['spec.schedule: Required value']],
    [
      'cj',
      { spec: { schedule: '1 2 3', jobTemplate } },
      ['spec.schedule: Invalid value: "1 2 3": expected exactly 5 fields, found 3: [1 2 3]'],
    ],
    [
      'cj',
      { spec: { schedule: 'TZ=UTC 0 * * * *', jobTemplate } },
      ['spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
    ],
    [
      'cj',
      { spec: { schedule: 'CRON_TZ=Mars 0 * * *', timeZone: 'europe/berlin', jobTemplate } },
      [
        'spec.schedule: Invalid value: "CRON_TZ=Mars 0 * * *": provided bad location Mars: unknown time zone Mars',
        'spec.schedule: Invalid value: "CRON_TZ=Mars 0 * * *": cannot use TZ or CRON_TZ in schedule',
        'spec.timeZone: Invalid value: "europe/berlin": unknown time zone europe/berlin',
      ],
    ],
    [
      'cj',
      { spec: { schedule: 'TZ=UTC', timeZone: 'local', startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1, jobTemplate } },
      [
        'spec.schedule: Invalid value: "TZ=UTC": invalid schedule format: ',
        'spec.schedule: Invalid value: "TZ=UTC": cannot use TZ or CRON_TZ in schedule',
        'spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0',
        'spec.timeZone: Invalid value: "local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
        'spec.timeZone: Invalid value: "local": unknown time zone local',
        'spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    [
      'cj',
      { spec: { schedule: '@daily', timeZone: '', concurrencyPolicy: '', jobTemplate: { spec: { template } } } },
      [
        'spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string',
        'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
      ],
    ],
    [
      'cj',
      { spec: { schedule: '0 * * * *', timeZone: 'Mars/Base', concurrencyPolicy: 'Maybe', jobTemplate } },
      [
        'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
        'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
      ],
    ],
    [
      'cj',
      {
        spec: {
          schedule: '0 * * * *',
          jobTemplate: { spec: { selector, manualSelector: true, template: once } },
          failedJobsHistoryLimit: -1,
        },
      },
      [
        'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
        'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        'spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    [
      'ds',
      { spec: { selector, template: once } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'ds',
      { spec: { selector, template, updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: '110%' } } } },
      [
        'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "110%": must not be greater than 100%',
        'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero',
      ],
    ],
    [
      'ds',
      { spec: { selector: {}, template, updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
      [
        'spec.selector: Invalid value: {}: empty selector is invalid for daemonset',
        'spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0',
      ],
    ],
    [
      'sts',
      {
        spec: {
          podManagementPolicy: 'Chaotic',
          updateStrategy: { type: 'OnDelete', rollingUpdate: {} },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Keep' },
          serviceName: 'A',
          selector,
          template,
        },
      },
      [
        "spec.podManagementPolicy: Invalid value: \"Chaotic\": must be 'OrderedReady' or 'Parallel'",
        "spec.updateStrategy.rollingUpdate: Invalid value: {}: only allowed for updateStrategy 'RollingUpdate'",
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"',
        'spec.serviceName: Invalid value: "A": a lowercase RFC 1123 label must consist of',
      ],
    ],
    [
      'sts',
      {
        spec: { selector: { matchLabels: { a: 'c' } }, template, updateStrategy: { rollingUpdate: { partition: -1, maxUnavailable: 0 } } },
      },
      [
        'spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0',
        'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0',
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
      ],
    ],
    ['rc', { spec: {} }, ['spec.selector: Required value', 'spec.template: Required value']],
    [
      'controllerrevisions',
      { revision: -1 },
      ['revision: Invalid value: -1: must be greater than or equal to 0', 'data: Required value: data is mandatory'],
    ],
  ])('%s %#', (name, fields, expected) => {
    const found = faults(name, fields);
    expect(found.map((fault, index) => fault.slice(0, expected[index]?.length))).toEqual(expected);
  });

  test('names that are too long for what is made of them', () => {
    expect(faults('cj', { spec: { schedule: '@daily', jobTemplate } }, { name: 'x'.repeat(53) })).toEqual([
      `metadata.name: Invalid value: "${'x'.repeat(53)}": must be no more than 52 characters`,
    ]);
    expect(faults('jobs', { spec: { completions: 1000, completionMode: 'Indexed', template: once } }, { name: 'x'.repeat(60) })).toEqual([
      `metadata.name: Invalid value: "${'x'.repeat(60)}": will not able to create pod with invalid DNS label: ${'x'.repeat(60)}-999`,
    ]);
  });

  test('names and numbers that may surprise are warned of', () => {
    const many = { completions: 100_001, parallelism: 10_001, completionMode: 'Indexed', template: once };
    const warnings = (name: string, spec: object, of: string): string[] =>
      served(name).kind.warnings?.(make(name, { spec }, { name: of }), undefined) ?? [];
    const advice = 'this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended';
    const lost = 'Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
    expect(warnings('jobs', many, 'a.b')).toEqual([
      `metadata.name: ${advice}: [must not contain dots]`,
      expect.stringMatching(`^spec: .*${lost}$`),
    ]);
    expect(warnings('cj', { schedule: '@daily', jobTemplate: { spec: many } }, 'a')).toEqual([
      expect.stringMatching(`^spec.jobTemplate.spec: .*${lost}$`),
    ]);
  });

  test('labels of another Job', () => {
    const foreign = { ...once, metadata: { labels: { 'controller-uid': 'other' } } };
    expect(faults('jobs', { spec: { template: foreign } }).map((fault) => fault.split(': ')[0])).toEqual([
      'spec.template.metadata.labels[controller-uid]',
    ]);
    const selected = { spec: { template: once, selector: { matchLabels: { a: 'b' } } } };
    expect(faults('jobs', selected)).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u-1","a":"b"}}: `selector` not auto-generated',
    ]);
    expect(faults('jobs', { spec: { template: once, manualSelector: true } })).toEqual([
      'spec.selector: Required value',
      'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
    ]);
    expect(faults('jobs', { spec: { ...selected.spec, manualSelector: true } })).toEqual([]);
  });
});

describe('changes', () => {
  const indexed = (completions: number, parallelism: number): object =>
    stored({ completions, parallelism, completionMode: 'Indexed', template: once });

  test('of a Job: its template and completions stay', () => {
    const old = stored({ completions: 2, template: once });
    expect(changes('jobs', { spec: { ...old.spec, parallelism: 5, suspend: true } }, old)).toEqual([]);
    expect(changes('jobs', { spec: { ...old.spec, completions: 3 } }, old)).toEqual([
      'spec.completions: Invalid value: 3: field is immutable',
    ]);
    const other = stored({ completions: 2, template: { ...once, spec: { ...once.spec, nodeSelector: { disk: 'fast' } } } });
    expect(changes('jobs', other, old).map((fault) => fault.split(':')[0])).toEqual(['spec.template']);
  });

  test('of a suspended Job: where its pods run may still be said', () => {
    const old = stored({ completions: 2, suspend: true, template: once });
    const moved = stored({ completions: 2, suspend: true, template: { ...once, spec: { ...once.spec, nodeSelector: { disk: 'fast' } } } });
    expect(changes('jobs', moved, old)).toEqual([]);
    const other = stored({ completions: 2, suspend: true, template: { ...once, spec: { ...once.spec, hostNetwork: true } } });
    expect(changes('jobs', other, old)).toHaveLength(1);
    const larger = { ...container, resources: { requests: { cpu: '1' } } };
    const grown = stored({ completions: 2, suspend: true, template: { ...once, spec: { ...once.spec, containers: [larger] } } });
    expect(changes('jobs', grown, old).map((fault) => fault.split(':')[0])).toEqual(['spec.template']);
  });

  test('of a suspended Job that had begun: its pods stay where they would run', () => {
    const old = { ...stored({ completions: 2, suspend: true, template: once }), status: { startTime: '2026-01-01T11:00:00Z' } };
    const moved = stored({ completions: 2, suspend: true, template: { ...once, spec: { ...once.spec, nodeSelector: { disk: 'fast' } } } });
    expect(changes('jobs', moved, old).map((fault) => fault.split(':')[0])).toEqual(['spec.template']);
  });

  test('of a Job: what says when it has succeeded or failed stays, each told in its order', () => {
    const spec = { completions: 3, completionMode: 'Indexed', backoffLimitPerIndex: 1, template: once };
    const rules = [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }];
    const now = {
      ...spec,
      backoffLimitPerIndex: 2,
      managedBy: 'a.b/c',
      podFailurePolicy: { rules },
      successPolicy: { rules: [{ succeededCount: 1 }] },
    };
    const found = changes('jobs', { spec: { ...stored(now).spec, podReplacementPolicy: 'Failed' } }, stored(spec));
    expect(found.map((fault) => fault.split(':')[0])).toEqual([
      'spec.podFailurePolicy',
      'spec.backoffLimitPerIndex',
      'spec.managedBy',
      'spec.successPolicy',
    ]);
  });

  test('of a CronJob: one whose name is too long may be changed', () => {
    const { kind } = served('cj');
    const spec = { schedule: '@daily', jobTemplate };
    const object = (schedule: string): ReturnType<typeof make> =>
      make('cj', { spec: { ...spec, schedule } }, { name: 'x'.repeat(53), uid: 'u-1' });
    expect(causes(() => validateChange(kind, object('@hourly'), object('@daily')))).toEqual([]);
  });

  test('of an Indexed Job: it grows with its parallelism', () => {
    expect(changes('jobs', indexed(5, 5), indexed(3, 3))).toEqual([]);
    expect(changes('jobs', indexed(5, 3), indexed(3, 3))).toEqual([
      'spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism',
    ]);
  });

  test('of a StatefulSet: what its pods rely on stays', () => {
    const old = { spec: { selector, template, serviceName: 's' } };
    const fine = { spec: { ...old.spec, replicas: 5, minReadySeconds: 3, updateStrategy: { type: 'OnDelete' }, ordinals: { start: 2 } } };
    expect(changes('sts', fine, old)).toEqual([]);
    expect(changes('sts', { spec: { ...old.spec, serviceName: 'other' } }, old)).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });

  test('of a ControllerRevision: its data stays', () => {
    expect(changes('controllerrevisions', { data: { a: 1 }, revision: 2 }, { data: { a: 1 }, revision: 1 })).toEqual([]);
    expect(changes('controllerrevisions', { data: { a: 2 }, revision: 1 }, { data: { a: 1 }, revision: 1 })).toEqual([
      'data: Invalid value: {"a":2}: field is immutable',
    ]);
  });

  test('of a DaemonSet: its selector stays', () => {
    const wider = { a: 'b', c: 'd' };
    const other = { spec: { selector: { matchLabels: wider }, template: { ...template, metadata: { labels: wider } } } };
    expect(changes('ds', other, { spec: { selector, template } })).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"a":"b","c":"d"}}: field is immutable',
    ]);
  });
});

describe('what a new Job is given', () => {
  test('labels and a selector by which it alone knows its pods', () => {
    const object = make('jobs', { spec: { template: once } }, { uid: 'u-1', name: 'pi' });
    served('jobs').kind.beforeCreate?.(object);
    expect(object).toMatchObject({
      metadata: { labels },
      spec: {
        completions: 1,
        parallelism: 1,
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        suspend: false,
        podReplacementPolicy: 'TerminatingOrFailed',
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' } },
        template: {
          metadata: {
            labels: {
              a: 'b',
              'job-name': 'pi',
              'controller-uid': 'u-1',
              'batch.kubernetes.io/job-name': 'pi',
              'batch.kubernetes.io/controller-uid': 'u-1',
            },
          },
        },
      },
    });
  });

  test('the status of a status write, where it is right', () => {
    const { kind } = served('sts');
    const object = make('sts', { spec: { selector, template } });
    const status = kind.subresources.find(({ name }) => name === 'status');
    const judge = (fields: object): string[] =>
      (status?.validate?.({ ...object, status: fields } as never, deepFreeze(object))?.list ?? []).map(({ field }) => field);
    expect(judge({ replicas: 2, readyReplicas: 2, availableReplicas: 1 })).toEqual([]);
    expect(judge({ replicas: 1, readyReplicas: 2, availableReplicas: 3 })).toEqual([
      'status.readyReplicas',
      'status.availableReplicas',
      'status.availableReplicas',
    ]);
  });
});

describe('rows', () => {
  test.each<[string, object, object, unknown[]]>([
    [
      'jobs',
      { spec: { completions: 3, template: once }, status: { succeeded: 1, startTime: '2026-01-01T11:58:00Z' } },
      {},
      ['x', 'Running', '1/3', '2m', '60m', 'c', 'i:1', '<none>'],
    ],
    [
      'jobs',
      {
        spec: { parallelism: 2, template: once },
        status: {
          startTime: '2026-01-01T11:00:00Z',
          completionTime: '2026-01-01T11:00:42Z',
          succeeded: 1,
          conditions: [{ type: 'Complete', status: 'True' }],
        },
      },
      {},
      ['x', 'Complete', '1/1 of 2', '42s', '60m', 'c', 'i:1', '<none>'],
    ],
    [
      'cj',
      {
        spec: { schedule: '@daily', timeZone: 'UTC', jobTemplate },
        status: { active: [{ name: 'a' }], lastScheduleTime: '2026-01-01T11:59:30Z' },
      },
      {},
      ['x', '@daily', 'UTC', 'False', 1, '30s', '60m', 'c', 'i:1', '<none>'],
    ],
    [
      'ds',
      {
        spec: { selector, template: { ...template, spec: { ...template.spec, nodeSelector: { disk: 'fast' } } } },
        status: { desiredNumberScheduled: 3, currentNumberScheduled: 2, numberReady: 1, numberMisscheduled: 0 },
      },
      {},
      ['x', 3, 2, 1, 0, 0, 'disk=fast', '60m', 'c', 'i:1', 'a=b'],
    ],
    ['sts', { spec: { replicas: 3, selector, template }, status: { replicas: 3, readyReplicas: 2 } }, {}, ['x', '2/3', '60m', 'c', 'i:1']],
    ['rc', { spec: { replicas: 2, template }, status: { replicas: 1 } }, {}, ['x', 2, 1, 0, '60m', 'c', 'i:1', 'a=b']],
    ['podtemplates', { template }, {}, ['x', 'c', 'i:1', 'a=b']],
    [
      'controllerrevisions',
      { data: {}, revision: 4 },
      { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true }] },
      ['x', 'statefulset.apps/db', 4, '60m'],
    ],
  ])('%s %#', (name, fields, metadata, expected) => {
    expect(row(name, fields, metadata)).toEqual(expected);
  });
});

test('counts of a status add up', () => {
  const faultsOf = (name: string, status: object, before: object = {}): string[] => {
    const { kind } = served(name);
    const [now, old] = [make(name, { spec: { selector, template }, status }), make(name, { spec: { selector, template }, status: before })];
    return causes(() =>
      kind.subresources
        .find((each) => each.name === 'status')
        ?.validate?.(now, old)
        .throwIfAny(kind, 'x'),
    );
  };
  expect(faultsOf('deploy', { replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 1, unavailableReplicas: 1 })).toEqual(
    [],
  );
  expect(faultsOf('deploy', { replicas: 1, updatedReplicas: 2, unavailableReplicas: -1 }, { collisionCount: 1 })).toEqual([
    'status.unavailableReplicas: Invalid value: -1: must be greater than or equal to 0',
    'status.updatedReplicas: Invalid value: 2: cannot be greater than status.replicas',
    'status.collisionCount: Invalid value: 0: cannot be decremented',
  ]);
  expect(faultsOf('rs', { replicas: 2, readyReplicas: 1, availableReplicas: 2, fullyLabeledReplicas: 3 })).toEqual([
    'status.fullyLabeledReplicas: Invalid value: 3: cannot be greater than status.replicas',
    'status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas',
  ]);
});
