import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { messageOf } from '#base/errors';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { installedVersions, type Kubectl, useKubectl } from '../harness/kubectl.ts';

const missing = missingForCluster();
const image = 'berth.local/hello:1';
/** The oldest that is there and the newest: they ask for things in different ways. */
const versions = [...new Set([...installedVersions(['1.27']), '1.35'])];

const shell = (script: string): object => ({ name: 'main', image, command: ['sh', '-c', script] });
const forever = 'trap "exit 0" TERM; while true; do sleep 1; done';

/** What a test has to work with: one kubectl, in a namespace of its own that begins with the CronJob `tick`. */
interface Bench {
  readonly kubectl: Kubectl;
  readonly namespace: string;
  runIn(where: string, ...args: string[]): Promise<string>;
  run(...args: string[]): Promise<string>;
  /** Whatever its exit code: what it printed. */
  attempt(...args: string[]): Promise<string>;
  apply(object: { metadata: { name: string } }): Promise<void>;
  value(what: string, path: string): Promise<string>;
  podsOf(selector: string): Promise<string[]>;
  /** Until it prints this: what runs need not have written yet, and a pod that was deleted need not be there again. */
  says(text: string, ...args: string[]): Promise<boolean>;
  isGone(selector: string): Promise<true | undefined>;
}

/** Workloads on real containers, driven by kubectl alone. */
(missing === undefined ? describe : describe.skip)('workloads', () => {
  let cluster: TestCluster;
  let scratch: string;
  let benches: readonly Bench[] = [];

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'berth-workloads-'));
    cluster = await startTestCluster({ demoImage: true });
    benches = await Promise.all(versions.map(openBench));
  });

  afterAll(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  async function openBench(version: string): Promise<Bench> {
    const kubectl = await useKubectl(version, cluster.kubeconfig, scratch);
    const namespace = `w${version.replace('.', '-')}`;
    const bench: Bench = {
      kubectl,
      namespace,
      runIn: async (where, ...args) => {
        const { code, stdout, stderr } = await kubectl.run(['-n', where, ...args], { timeout: 230_000 });
        if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
        return stdout;
      },
      run: (...args) => bench.runIn(namespace, ...args),
      attempt: async (...args) => {
        const { stdout, stderr } = await kubectl.run(['-n', namespace, ...args]);
        return stdout + stderr;
      },
      apply: async (object) => {
        const path = join(scratch, `${namespace}-${object.metadata.name}.json`);
        writeFileSync(path, JSON.stringify(object));
        await bench.run('apply', '-f', path);
      },
      value: (what, path) => bench.run('get', what, '-o', `jsonpath={${path}}`),
      podsOf: async (selector) =>
        (await bench.run('get', 'pods', '-l', selector, '-o', 'name', '--sort-by=.metadata.name'))
          .split('\n')
          .filter((line) => line !== ''),
      says: (text, ...args) =>
        eventually(`kubectl ${args.join(' ')} prints ${JSON.stringify(text)}`, async () => {
          const now = await bench.run(...args);
          if (now !== text) throw new Error(now);
          return true;
        }),
      isGone: async (selector) => ((await bench.podsOf(selector)).length === 0 ? true : undefined),
    };
    await kubectl.succeed('create', 'namespace', namespace);
    // It wants the beginning of a minute, which comes while others are tested.
    await bench.run('create', 'cronjob', 'tick', `--image=${image}`, '--schedule=* * * * *', '--', 'sh', '-c', 'echo tick');
    return bench;
  }

  /** A test of all versions, each in its namespace, at once unless it must have the node `alone`; what fails is told by version. */
  function eachVersion(title: string, check: (bench: Bench) => Promise<void>, alone = false): void {
    test(title, async () => {
      const failures: string[] = [];
      const one = (bench: Bench): Promise<void> =>
        check(bench).catch((error: unknown) => void failures.push(`kubectl ${bench.kubectl.version}: ${messageOf(error)}`));
      if (alone) for (const bench of benches) await one(bench);
      else await Promise.all(benches.map(one));
      expect(failures.join('\n\n')).toBe('');
    });
  }

  eachVersion('a Job is created, completes, keeps its logs, and takes its pods with it', async ({ run, isGone }) => {
    await run('create', 'job', 'greeting', `--image=${image}`, '--', 'sh', '-c', 'echo hello from a job');
    await run('wait', '--for=condition=complete', 'job/greeting', '--timeout=120s');
    expect(await run('logs', 'job/greeting')).toBe('hello from a job\n');
    expect(await run('get', 'job', 'greeting')).toMatch(/greeting\s+(?:Complete\s+)?1\/1\s+\d+s/);
    // Events come after what they tell of.
    const described = await eventually('its end is told', async () => {
      const text = await run('describe', 'job', 'greeting');
      return text.includes('Completed') ? text : undefined;
    });
    expect(described).toMatch(/Pods Statuses:\s+0 Active.*\/ 1 Succeeded \/ 0 Failed/);
    await run('delete', 'job', 'greeting');
    await eventually('its pod is gone', () => isGone('job-name=greeting'));
  });

  eachVersion('a Job gives each of its pods an index', async ({ run, apply, value, podsOf }) => {
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'indexed' },
      spec: {
        completions: 3,
        parallelism: 3,
        completionMode: 'Indexed',
        template: { spec: { restartPolicy: 'Never', containers: [shell('echo "$JOB_COMPLETION_INDEX $(hostname)"')] } },
      },
    } as { metadata: { name: string } });
    await run('wait', '--for=condition=complete', 'job/indexed', '--timeout=120s');
    expect(await value('job/indexed', '.status.completedIndexes')).toBe('0-2');
    const logs = await Promise.all((await podsOf('job-name=indexed')).map((pod) => run('logs', pod)));
    expect(logs.toSorted()).toEqual(['0 indexed-0\n', '1 indexed-1\n', '2 indexed-2\n']);
  });

  eachVersion('a Job fails by its limits and policies, and says why', async ({ run, apply, value, isGone }) => {
    const failing = (name: string, script: string, more: object): { metadata: { name: string } } =>
      ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name },
        spec: {
          ...more,
          template: { spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [shell(script)] } },
        },
      }) as { metadata: { name: string } };
    await apply(failing('unlucky', 'exit 3', { backoffLimit: 0 }));
    await apply(
      failing('fatal', 'exit 42', {
        backoffLimit: 6,
        podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }] },
      }),
    );
    await apply(failing('slow', 'sleep 600', { activeDeadlineSeconds: 2 }));
    for (const [name, reason] of [
      ['unlucky', 'BackoffLimitExceeded'],
      ['fatal', 'PodFailurePolicy'],
      ['slow', 'DeadlineExceeded'],
    ] as const) {
      await run('wait', '--for=condition=failed', `job/${name}`, '--timeout=90s');
      expect(await value(`job/${name}`, '.status.conditions[?(@.type=="Failed")].reason')).toBe(reason);
    }
    expect(await value('job/fatal', '.status.conditions[?(@.type=="Failed")].message')).toContain('failed with exit code 42');
    // What a deadline stopped is stopped on the node, too.
    await eventually('the slow pod is gone', () => isGone('job-name=slow'));
  });

  eachVersion('a Job is suspended and resumed; one that is deleted while it runs holds nothing', async ({ run, apply, value, podsOf }) => {
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'paused' },
      spec: {
        suspend: true,
        parallelism: 2,
        template: { spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [shell(forever)] } },
      },
    } as { metadata: { name: string } });
    await run('wait', '--for=condition=suspended', 'job/paused', '--timeout=30s');
    expect(await podsOf('job-name=paused')).toEqual([]);
    await run('patch', 'job/paused', '--type=merge', '-p', '{"spec":{"suspend":false}}');
    await eventually('both run', async () => ((await value('job/paused', '.status.ready')) === '2' ? true : undefined));
    await run('delete', 'job', 'paused', '--cascade=foreground');
    expect(await podsOf('job-name=paused')).toEqual([]);
  });

  eachVersion('a DaemonSet is on every node, rolls, and goes back in its history', async ({ run, apply, says, isGone }) => {
    const daemon = (script: string): { metadata: { name: string } } =>
      ({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'daemon', annotations: { 'kubernetes.io/change-cause': `script ${script.length}` } },
        spec: {
          selector: { matchLabels: { app: 'daemon' } },
          template: {
            metadata: { labels: { app: 'daemon' } },
            spec: { terminationGracePeriodSeconds: 1, containers: [shell(script)] },
          },
        },
      }) as { metadata: { name: string } };
    await apply(daemon(`echo one; ${forever}`));
    expect(await run('rollout', 'status', 'daemonset/daemon', '--timeout=120s')).toContain('successfully rolled out');
    expect(await run('get', 'daemonset', 'daemon')).toMatch(/daemon\s+1\s+1\s+1\s+1\s+1\s+<none>/);
    await apply(daemon(`echo second; ${forever}`));
    await run('rollout', 'status', 'daemonset/daemon', '--timeout=120s');
    await says('second\n', 'logs', 'daemonset/daemon');
    const history = await run('rollout', 'history', 'daemonset/daemon');
    expect(history).toMatch(/1\s+script \d+\n2\s+script \d+/);
    expect(await run('rollout', 'history', 'daemonset/daemon', '--revision=1')).toContain('echo one');
    await run('rollout', 'undo', 'daemonset/daemon');
    await run('rollout', 'status', 'daemonset/daemon', '--timeout=120s');
    await says('one\n', 'logs', 'daemonset/daemon');
    await run('rollout', 'restart', 'daemonset/daemon');
    await run('rollout', 'status', 'daemonset/daemon', '--timeout=120s');
    expect(await run('describe', 'daemonset', 'daemon')).toMatch(/SuccessfulCreate.*Created pod: daemon-/);
    await run('delete', 'daemonset', 'daemon');
    await eventually('its pods are gone', () => isGone('app=daemon'));
  });

  eachVersion(
    'a StatefulSet keeps names, data and order, through pods, sizes and templates',
    async ({ namespace, run, attempt, apply, value, podsOf, says, isGone }) => {
      const script = (text: string): string => `echo ${text} >> /data/log; ${forever}`;
      const set = (replicas: number, text: string, more: object = {}): { metadata: { name: string } } =>
        ({
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: { name: 'db' },
          spec: {
            replicas,
            serviceName: 'db',
            selector: { matchLabels: { app: 'db' } },
            template: {
              metadata: { labels: { app: 'db' } },
              spec: {
                terminationGracePeriodSeconds: 1,
                containers: [{ ...shell(script(text)), volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
              },
            },
            volumeClaimTemplates: [
              { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } } } },
            ],
            ...more,
          },
        }) as { metadata: { name: string } };
      await apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'db' },
        spec: { clusterIP: 'None', selector: { app: 'db' } },
      } as { metadata: { name: string } });
      await apply(set(2, 'first'));
      expect(await run('rollout', 'status', 'statefulset/db', '--timeout=90s')).toMatch(/rolling update complete|roll out complete/);
      expect(await podsOf('app=db')).toEqual(['pod/db-0', 'pod/db-1']);
      expect(await run('get', 'statefulset', 'db')).toMatch(/db\s+2\/2/);
      await says('db-1\n', 'exec', 'db-1', '--', 'hostname');
      const address = await value('pod/db-0', '.status.podIP');
      await eventually('one finds the other by its name', async () =>
        (await attempt('exec', 'db-1', '--', 'nslookup', `db-0.db.${namespace}.svc.cluster.local`)).includes(address) ? true : undefined,
      );
      expect((await run('get', 'pvc', '-o', 'name')).split('\n').filter(Boolean)).toEqual([
        'persistentvolumeclaim/data-db-0',
        'persistentvolumeclaim/data-db-1',
      ]);

      await run('delete', 'pod', 'db-0');
      await run('rollout', 'status', 'statefulset/db', '--timeout=120s');
      await says('first\nfirst\n', 'exec', 'db-0', '--', 'cat', '/data/log');

      await run('scale', 'statefulset/db', '--replicas=1');
      await eventually('the last is gone', async () => ((await podsOf('app=db')).length === 1 ? true : undefined));
      await run('scale', 'statefulset/db', '--replicas=2');
      await run('rollout', 'status', 'statefulset/db', '--timeout=120s');
      await says('first\nfirst\n', 'exec', 'db-1', '--', 'cat', '/data/log');

      const partition = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } };
      await apply(set(2, 'second', partition));
      expect(await run('rollout', 'status', 'statefulset/db', '--timeout=120s')).toMatch(/partitioned roll out complete: 1 new pods/);
      await says('second\n', 'exec', 'db-1', '--', 'tail', '-n1', '/data/log');
      await says('first\n', 'exec', 'db-0', '--', 'tail', '-n1', '/data/log');
      await apply(set(2, 'second', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } }));
      await run('rollout', 'status', 'statefulset/db', '--timeout=120s');
      await says('second\n', 'exec', 'db-0', '--', 'tail', '-n1', '/data/log');

      expect(await run('rollout', 'history', 'statefulset/db')).toMatch(/REVISION\s+CHANGE-CAUSE\n1\s.*\n2\s/);
      await run('rollout', 'undo', 'statefulset/db');
      await run('rollout', 'status', 'statefulset/db', '--timeout=120s');
      await says('first\n', 'exec', 'db-0', '--', 'tail', '-n1', '/data/log');
      await run('delete', 'statefulset', 'db');
      await eventually('its pods are gone', () => isGone('app=db'));
      expect(await run('get', 'pvc', '-o', 'name')).toContain('data-db-1');
      await run('delete', 'pvc', '--all');
    },
  );

  eachVersion(
    'a disruption budget holds up a drain, and only as long as it must',
    async ({ run, attempt, value, podsOf }) => {
      await run('create', 'deployment', 'guarded', `--image=${image}`, '--', 'sh', '-c', forever);
      await run('rollout', 'status', 'deployment/guarded', '--timeout=120s');
      await run('create', 'poddisruptionbudget', 'guard', '--selector=app=guarded', '--min-available=1');
      await eventually('the budget is counted', async () =>
        (await value('pdb/guard', '.status.currentHealthy')) === '1' ? true : undefined,
      );
      expect(await run('get', 'pdb', 'guard')).toMatch(/guard\s+1\s+N\/A\s+0/);
      const node = (await run('get', 'nodes', '-o', 'name')).trim().replace('node/', '');
      const drain = ['drain', node, '--ignore-daemonsets', '--pod-selector=app=guarded', '--delete-emptydir-data'];
      try {
        const held = await attempt(...drain, '--timeout=3s');
        expect(held).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
        expect(await podsOf('app=guarded')).toHaveLength(1);
        await run('patch', 'pdb/guard', '--type=merge', '-p', '{"spec":{"minAvailable":0}}');
        expect(await run(...drain, '--timeout=120s')).toContain('drained');
      } finally {
        await run('uncordon', node);
      }
      await run('rollout', 'status', 'deployment/guarded', '--timeout=120s');
      await run('delete', 'deployment/guarded', 'pdb/guard');
    },
    true,
  );

  eachVersion('quotas and limit ranges bound a namespace, and say so', async ({ kubectl, namespace, runIn }) => {
    const small = `${namespace}-small`;
    const inside = (...args: string[]): Promise<string> => runIn(small, ...args);
    await kubectl.succeed('create', 'namespace', small);
    await inside('create', 'quota', 'bound', '--hard=pods=2,requests.cpu=200m');
    const path = join(scratch, `${small}.json`);
    writeFileSync(
      path,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'usual' },
        spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '50m' }, max: { cpu: '1' } }] },
      }),
    );
    await inside('apply', '-f', path);
    await inside('create', 'deployment', 'web', `--image=${image}`, '--replicas=3', '--', 'sh', '-c', forever);
    await eventually('there is room for two', async () =>
      (await inside('get', 'quota', 'bound', '-o', 'jsonpath={.status.used}')).includes('"pods":"2"') ? true : undefined,
    );
    expect(await inside('describe', 'quota', 'bound')).toMatch(/pods\s+2\s+2\n\s*requests\.cpu\s+100m\s+200m/);
    await eventually('what is missing is told', async () =>
      (await inside('get', 'events')).includes('exceeded quota: bound, requested: pods=1, used: pods=2, limited: pods=2')
        ? true
        : undefined,
    );
    const { stderr } = await kubectl.run([
      '-n',
      small,
      'run',
      'big',
      `--image=${image}`,
      '--overrides={"spec":{"containers":[{"name":"big","image":"x","resources":{"limits":{"cpu":"3"}}}]}}',
    ]);
    expect(stderr).toContain('maximum cpu usage per Container is 1, but limit is 3');
    expect(await inside('describe', 'limitrange', 'usual')).toMatch(/Container\s+cpu\s+-\s+1\s+50m\s+1\s+-/);
    await kubectl.succeed('delete', 'namespace', small);
  });

  eachVersion('a CronJob runs on time, by hand, and not while it is suspended', async ({ run, value }) => {
    expect(await run('get', 'cronjob', 'tick')).toMatch(/tick\s+\* \* \* \* \*\s+(?:<none>\s+)?False\s+\d+\s+\S+/);
    await run('create', 'job', 'now', '--from=cronjob/tick');
    await run('wait', '--for=condition=complete', 'job/now', '--timeout=120s');
    const name = await eventually(
      'a minute begins',
      async () => (await run('get', 'jobs', '-o', 'name')).split('\n').findLast((line) => line.startsWith('job.batch/tick-')),
      150_000,
    );
    await run('wait', '--for=condition=complete', name, '--timeout=120s');
    expect(await run('logs', name)).toBe('tick\n');
    expect(await value('cronjob/tick', '.status.lastScheduleTime')).toMatch(/:00Z$/);
    await run('patch', 'cronjob/tick', '--type=merge', '-p', '{"spec":{"suspend":true}}');
    expect(await run('get', 'cronjob', 'tick')).toContain('True');
    await run('delete', 'cronjob', 'tick');
    await eventually('its jobs are gone', async () => ((await run('get', 'jobs', '-o', 'name')).includes('tick-') ? undefined : true));
  });
});
