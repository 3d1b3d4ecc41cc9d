import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { messageOf } from '#base/errors';
import { type ConnectionOptions, connectionOf, loadKubeconfig } from '#client/kubeconfig';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually, runCommand } from '../harness/commands.ts';
import { endAfter, installedVersions, type Kubectl, useKubectl } from '../harness/kubectl.ts';
import { openWebSocket } from '../harness/web-socket-client.ts';

const missing = missingForCluster();
const versions = [...installedVersions(['1.27', '1.30', '1.33']), '1.35'];
const image = 'berth.local/hello:1';

/** What a row has to work with: one kubectl, in a namespace of its own. */
interface Bench {
  readonly kubectl: Kubectl;
  readonly namespace: string;
  /** Writes a manifest and gives its path. */
  file(name: string, content: object): string;
  /** `kubectl -n NAMESPACE …`, which must succeed; gives stdout. */
  run(...args: string[]): Promise<string>;
}

const podManifest = (name: string, script: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image, command: ['sh', '-c', script] }], ...more },
});

const deploymentManifest = (name: string, replicas: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image, command: ['sh', '-c', 'echo up; exec sleep 3600'] }] },
    },
  },
});

const ticking = 'echo first; i=0; while true; do i=$((i+1)); echo tick $i; sleep 1; done';

(missing === undefined ? describe : describe.skip)('the real kubectl', () => {
  let cluster: TestCluster;
  let scratch: string;
  let benches: readonly Bench[] = [];

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'berth-kubectl-'));
    cluster = await startTestCluster({ demoImage: true });
    benches = await Promise.all(versions.map(openBench));
  });

  afterAll(async () => {
    try {
      await Promise.all(benches.map(({ kubectl, namespace }) => kubectl.succeed('delete', 'namespace', namespace, '--timeout=90s')));
    } finally {
      await cluster?.stop();
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  test.each([
    ['the server', '/metrics'],
    ['the agent', '/api/v1/nodes/NODE/proxy/metrics'],
    ["the agent's containers", '/api/v1/nodes/NODE/proxy/metrics/resource'],
  ])('metrics of %s pass promtool', async (_what, path) => {
    const kubectl = await useKubectl('1.35', cluster.kubeconfig, scratch);
    const node = (await kubectl.succeed('get', 'nodes', '-o', 'name')).trim().replace('node/', '');
    const metrics = await kubectl.succeed('get', '--raw', path.replace('NODE', node));
    expect(metrics).toMatch(/^# TYPE /m);
    expect(await runCommand('promtool', ['check', 'metrics'], { input: metrics })).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  describe('clients that are not kubectl', () => {
    let connection: ConnectionOptions;
    let pods: string;

    beforeAll(async () => {
      connection = await connectionOf(await loadKubeconfig([cluster.kubeconfig]));
      pods = `/api/v1/namespaces/${benches[0]!.namespace}/pods/ticker`;
    });

    test.each(['channel.k8s.io', 'base64.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'v5.channel.k8s.io'])(
      'exec over %s',
      async (protocol) => {
        const socket = await openWebSocket(connection, `${pods}/exec?command=echo&command=hello&stdout=true&stderr=true`, [protocol]);
        expect(socket.protocol).toBe(protocol);
        const said = ['', '', '', ''];
        for await (const message of socket.messages()) {
          const [channel, data] = protocol.includes('base64')
            ? [Number(message.toString('latin1', 0, 1)), Buffer.from(message.toString('latin1', 1), 'base64')]
            : [message[0]!, message.subarray(1)];
          said[channel] += data.toString();
        }
        socket.close();
        expect(said[1]).toBe('hello\n');
        // The first version has nothing to say of a success.
        if (/^v[45]/.test(protocol)) expect(JSON.parse(said[3]!)).toMatchObject({ status: 'Success' });
      },
    );

    test('a v5 client ends its input', async () => {
      const socket = await openWebSocket(connection, `${pods}/exec?command=cat&stdin=true&stdout=true`, ['v5.channel.k8s.io']);
      socket.send(Buffer.from('\0some words'));
      socket.send(Buffer.from([255, 0]));
      let said = '';
      for await (const message of socket.messages()) if (message[0] === 1) said += message.toString('utf8', 1);
      socket.close();
      expect(said).toBe('some words');
    });

    test('port-forward over v4.channel.k8s.io', async () => {
      await benches[0]!.run(
        'exec',
        'ticker',
        '--',
        'sh',
        '-c',
        'mkdir /tmp/www; echo page > /tmp/www/index.html; httpd -p 8081 -h /tmp/www',
      );
      const socket = await openWebSocket(connection, `${pods}/portforward?ports=8081`, ['v4.channel.k8s.io']);
      socket.send(Buffer.from('\0GET / HTTP/1.0\r\n\r\n'));
      let said = Buffer.alloc(0);
      for await (const message of socket.messages()) {
        if (message[0] === 0) said = Buffer.concat([said, message.subarray(1)]);
        if (said.includes('page\n')) break;
      }
      socket.close();
      // Each of a port's two channels begins with its number.
      expect(said.readUInt16LE(0)).toBe(8081);
      expect(said.toString('latin1', 2)).toMatch(/^HTTP\/1\.[01] 200 OK[\s\S]*page\n$/);
    });
  });

  async function openBench(version: string): Promise<Bench> {
    const kubectl = await useKubectl(version, cluster.kubeconfig, scratch);
    const namespace = `k${version.replace('.', '-')}`;
    const bench: Bench = {
      kubectl,
      namespace,
      file: (name, content) => {
        const path = join(scratch, `${namespace}-${name}.json`);
        writeFileSync(path, JSON.stringify(content));
        return path;
      },
      run: (...args) => kubectl.succeed('-n', namespace, ...args),
    };
    await kubectl.succeed('create', 'namespace', namespace);
    await bench.run('create', '-f', bench.file('ticker', podManifest('ticker', ticking)));
    await bench.run('apply', '-f', bench.file('web', deploymentManifest('web', 2)));
    await bench.run('wait', '--for=condition=Ready', 'pod/ticker', '--timeout=90s');
    await bench.run('rollout', 'status', 'deployment/web', '--timeout=90s');
    return bench;
  }

  /** A test of all versions at once, each in its namespace; what fails is told by version. */
  function eachVersion(title: string, check: (bench: Bench) => Promise<void>): void {
    test(title, async () => {
      const outcomes = await Promise.allSettled(benches.map(check));
      const failures = outcomes.flatMap((outcome, index) =>
        outcome.status === 'rejected' ? [`kubectl ${benches[index]?.kubectl.version}: ${messageOf(outcome.reason)}`] : [],
      );
      expect(failures.join('\n\n')).toBe('');
    });
  }

  eachVersion('version, api-resources', async (bench) => {
    expect(await bench.run('version')).toMatch(/Server Version/);
    const resources = await bench.run('api-resources');
    for (const line of [
      /^pods +po +v1 +true +Pod$/m,
      /^deployments +deploy +apps\/v1 +true +Deployment$/m,
      /^stacks .*compose\.berth\.dev\/v1alpha1 +true +Stack$/m,
    ])
      expect(resources).toMatch(line);
  });

  eachVersion('get: table, wide, yaml, jsonpath, -A, -l', async (bench) => {
    expect(await bench.run('get', 'pod', 'ticker')).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE\nticker +1\/1 +Running +0 +\d/);
    expect(await bench.run('get', 'pods', '-o', 'wide')).toMatch(/NODE +NOMINATED NODE +READINESS GATES/);
    expect(await bench.run('get', 'pod', 'ticker', '-o', 'yaml')).toMatch(/phase: Running/);
    expect(await bench.run('get', 'pod', 'ticker', '-o', 'jsonpath={.spec.containers[0].image}')).toBe(image);
    expect(await bench.run('get', 'pods', '-A')).toMatch(new RegExp(`^${bench.namespace} +ticker`, 'm'));
    expect((await bench.run('get', 'pods', '-l', 'app=web', '-o', 'name')).trim().split('\n')).toHaveLength(2);
    expect(await bench.run('get', 'deployment', 'web')).toMatch(/web +2\/2 +2 +2/);
  });

  eachVersion('get -w shows what changes', async (bench) => {
    const watching = bench.kubectl.run(['-n', bench.namespace, 'get', 'configmaps', '-w', '-o', 'name'], {
      onStart: (child) => endAfter(child, 'configmap/seen'),
    });
    await bench.run('create', 'configmap', 'seen', '--from-literal=a=b');
    expect((await watching).stdout).toContain('configmap/seen');
  });

  eachVersion('describe pod, node, deployment', async (bench) => {
    // Events come after what they tell of.
    await eventually('all is told of the pod', async () =>
      /Scheduled[\s\S]*Pulled[\s\S]*Created[\s\S]*Started/.test(await bench.run('describe', 'pod', 'ticker')) ? true : undefined,
    );
    expect(await bench.run('describe', 'nodes')).toMatch(/Non-terminated Pods/);
    await eventually('all is told of the deployment', async () =>
      (await bench.run('describe', 'deployment', 'web')).includes('ScalingReplicaSet') ? true : undefined,
    );
  });

  eachVersion('create deployment, configmap, secret, namespace', async (bench) => {
    expect(await bench.run('create', 'deployment', 'made', `--image=${image}`, '--replicas=0')).toContain('deployment.apps/made created');
    expect(await bench.run('create', 'configmap', 'made', '--from-literal=a=b')).toContain('configmap/made created');
    expect(await bench.run('create', 'secret', 'generic', 'made', '--from-literal=p=q')).toContain('secret/made created');
    expect(await bench.run('get', 'secret', 'made', '-o', 'jsonpath={.data.p}')).toBe(Buffer.from('q').toString('base64'));
    expect(await bench.run('create', 'namespace', `${bench.namespace}-made`)).toContain('created');
    expect(await bench.run('delete', 'namespace', `${bench.namespace}-made`, '--timeout=90s')).toContain('deleted');
  });

  eachVersion('apply, diff', async (bench) => {
    const map = (value: string) =>
      bench.file('map', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'map' }, data: { key: value } });
    expect(await bench.run('apply', '-f', map('one'))).toContain('created');
    const difference = await bench.kubectl.run(['-n', bench.namespace, 'diff', '-f', map('two')]);
    expect(difference).toMatchObject({ code: 1 });
    expect(difference.stdout).toMatch(/-\s+key: one\n\+\s+key: two/);
    expect(await bench.run('apply', '-f', map('two'))).toContain('configured');
    expect(await bench.run('apply', '-f', map('two'))).toContain('unchanged');
    expect(await bench.kubectl.run(['-n', bench.namespace, 'diff', '-f', map('two')])).toMatchObject({ code: 0 });
  });

  eachVersion('edit', async (bench) => {
    await bench.run('create', 'configmap', 'edited', '--from-literal=word=before');
    const result = await bench.kubectl.run(['-n', bench.namespace, 'edit', 'configmap', 'edited'], {
      env: { KUBE_EDITOR: 'sed -i s/before/after/' },
    });
    expect(result).toMatchObject({ code: 0 });
    expect(await bench.run('get', 'configmap', 'edited', '-o', 'jsonpath={.data.word}')).toBe('after');
  });

  eachVersion('patch: strategic, merge, JSON', async (bench) => {
    await bench.run('patch', 'pod', 'ticker', '-p', '{"metadata":{"labels":{"strategic":"yes"}}}');
    await bench.run('patch', 'pod', 'ticker', '--type=merge', '-p', '{"metadata":{"labels":{"merge":"yes"}}}');
    await bench.run('patch', 'pod', 'ticker', '--type=json', '-p', '[{"op":"add","path":"/metadata/labels/json","value":"yes"}]');
    const labels = JSON.parse(await bench.run('get', 'pod', 'ticker', '-o', 'jsonpath={.metadata.labels}')) as object;
    expect(labels).toMatchObject({ app: 'ticker', strategic: 'yes', merge: 'yes', json: 'yes' });
  });

  eachVersion('label', async (bench) => {
    expect(await bench.run('label', 'pod', 'ticker', 'color=blue')).toContain('labeled');
    expect(await bench.run('get', 'pods', '-l', 'color=blue', '-o', 'name')).toBe('pod/ticker\n');
    await bench.run('label', 'pod', 'ticker', 'color-');
    expect((await bench.kubectl.run(['-n', bench.namespace, 'get', 'pods', '-l', 'color=blue'])).stderr).toContain('No resources found');
  });

  eachVersion('scale', async (bench) => {
    await bench.run('scale', 'deployment', 'web', '--replicas=3');
    await bench.run('rollout', 'status', 'deployment/web', '--timeout=90s');
    expect(await bench.run('get', 'deployment', 'web')).toMatch(/web +3\/3/);
  });

  eachVersion('set image, rollout status, restart, undo', async (bench) => {
    const name = 'rolling';
    await bench.run('apply', '-f', bench.file(name, deploymentManifest(name, 1)));
    await bench.run('rollout', 'status', `deployment/${name}`, '--timeout=90s');
    await bench.run('set', 'image', `deployment/${name}`, 'main=berth.local/none:1');
    await eventually('the new pod waits for its image', async () => {
      const reasons = await bench.run(
        'get',
        'pods',
        '-l',
        `app=${name}`,
        '-o',
        'jsonpath={.items[*].status.containerStatuses[0].state.waiting.reason}',
      );
      return /ErrImagePull|ImagePullBackOff/.test(reasons) ? true : undefined;
    });
    await bench.run('rollout', 'undo', `deployment/${name}`);
    await bench.run('rollout', 'status', `deployment/${name}`, '--timeout=90s');
    expect(await bench.run('get', 'deployment', name, '-o', 'jsonpath={.spec.template.spec.containers[0].image}')).toBe(image);
    await bench.run('rollout', 'restart', `deployment/${name}`);
    expect(await bench.run('rollout', 'status', `deployment/${name}`, '--timeout=90s')).toContain('successfully rolled out');
  });

  eachVersion('logs: whole, --tail, -f that ends with the container, --previous', async (bench) => {
    expect(await bench.run('logs', 'ticker')).toMatch(/^first\ntick 1\n/);
    expect((await bench.run('logs', 'ticker', '--tail=1')).trim().split('\n')).toHaveLength(1);
    await bench.run(
      'create',
      '-f',
      bench.file('short', podManifest('short', 'for i in 1 2 3; do echo step $i; sleep 1; done', { restartPolicy: 'Never' })),
    );
    await eventually('the short pod has started', async () =>
      (await bench.kubectl.run(['-n', bench.namespace, 'logs', 'short'])).stdout.includes('step 1') ? true : undefined,
    );
    expect(await bench.run('logs', '-f', 'short')).toBe('step 1\nstep 2\nstep 3\n');
    await bench.run('create', '-f', bench.file('again', podManifest('again', 'test -e /tmp/x; echo run; sleep 1; exit 3')));
    await eventually('the container was restarted', async () =>
      Number(await bench.run('get', 'pod', 'again', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}')) > 0 ? true : undefined,
    );
    expect(await bench.run('logs', '--previous', 'again')).toBe('run\n');
    await bench.run('delete', 'pod', 'again', 'short', '--wait=false');
  });

  eachVersion('exec: exit code, piped stdin, -it', async (bench) => {
    expect(await bench.run('exec', 'ticker', '--', 'echo', 'hello')).toBe('hello\n');
    expect(
      await bench.kubectl.run(['-n', bench.namespace, 'exec', 'ticker', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']),
    ).toMatchObject({ code: 7, stdout: 'out\n', stderr: expect.stringContaining('err\n') });
    const data = 'some text\n'.repeat(5000);
    expect(await bench.kubectl.run(['-n', bench.namespace, 'exec', '-i', 'ticker', '--', 'cat'], { input: data })).toMatchObject({
      code: 0,
      stdout: data,
    });
    const command = `${bench.kubectl.path} -n ${bench.namespace} exec -it ticker -- sh -c 'test -t 0 && echo it is a terminal'`;
    const terminal = await runCommand('script', ['-qec', command, '/dev/null'], { env: { ...bench.kubectl.env, TERM: 'xterm' } });
    expect(terminal.stdout).toContain('it is a terminal');
  });

  eachVersion('wait, delete', async (bench) => {
    await bench.run('create', '-f', bench.file('doomed', podManifest('doomed', 'exec sleep 3600')));
    expect(await bench.run('wait', '--for=condition=Ready', 'pod/doomed', '--timeout=90s')).toContain('condition met');
    expect(await bench.run('delete', 'pod', 'doomed', '--timeout=90s')).toContain('deleted');
    expect(await bench.kubectl.run(['-n', bench.namespace, 'get', 'pod', 'doomed'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('pods "doomed" not found'),
    });
  });

  eachVersion('events', async (bench) => {
    expect(await bench.run('events')).toMatch(/Started/);
    expect(await bench.run('events', '--for', 'pod/ticker')).toMatch(/Pod\/ticker/);
    expect(await bench.run('get', 'events')).toMatch(/LAST SEEN +TYPE +REASON +OBJECT +MESSAGE/);
  });
});
