/** The command line against a whole server, with nodes that are played: what it prints, refuses and ends with. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { configMaps, events, pods, secrets, stacks } from '#api/shapes/resources';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import { startCluster, type TestCluster } from '#server/testing';
import { hurriedClock, runBerth } from '../harness/command-line.ts';
import type { CommandResult } from '../harness/commands.ts';
import { playKubelet } from '../harness/control-plane.ts';
import { type Kubectl, useKubectl } from '../harness/kubectl.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-command-line-'));
const stopKubelet = new AbortController();
let cluster: TestCluster;
let kubectl: Kubectl;

const berth = (
  line: string,
  more: { input?: string; hurry?: number; environment?: Record<string, string>; terminal?: boolean } = {},
): Promise<CommandResult & { code: number }> =>
  runBerth(line.split(' '), {
    kubeconfig: cluster.kubeconfig,
    workingDirectory: folder,
    ...(more.input === undefined ? {} : { input: more.input }),
    ...(more.hurry === undefined ? {} : { clock: hurriedClock(more.hurry) }),
    ...(more.environment === undefined ? {} : { environment: more.environment }),
    ...(more.terminal === undefined ? {} : { terminal: more.terminal }),
  });

function file(path: string, content: string | object): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}

const deployment = (name: string, replicas: number, container: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'x', ...container }] } },
  },
});
const configMap = (name: string, data: Record<string, string> = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 });
  kubectl = await useKubectl('1.35', cluster.kubeconfig, folder);
  playKubelet(cluster.client, systemClock, silentLogger)
    .run(stopKubelet.signal)
    .catch(() => undefined);
  file('web.json', deployment('web', 2));
  expect(await berth('apply -f web.json')).toMatchObject({ code: 0 });
  await cluster.client.create(configMaps, {
    metadata: { name: 'plain', namespace: 'default', labels: { b: '2', a: '1' } },
    data: { answer: 'yes', number: '0440', time: '12:30' },
  });
});

afterAll(async () => {
  stopKubelet.abort();
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('what it prints is what kubectl prints', () => {
  /** Ages differ by when they are asked, and with them the width of their column. */
  const ageless = (text: string): string =>
    text
      .replaceAll(/\b\d+(?:h|m|s)(?:\d+s)?\b */g, '7s ')
      .replaceAll(/\bAGE +/g, 'AGE ')
      .replaceAll(/ +$/gm, '');

  test.each([
    'get pods',
    'get pods -o wide',
    'get pods -A',
    'get pods -o name',
    'get pods --no-headers',
    'get pods --show-labels',
    'get pods --show-kind',
    'get pods -L app,none',
    'get pods -l app=web',
    'get pods -l app!=web',
    'get pods --field-selector status.phase=Failed',
    'get pods --sort-by .metadata.name',
    'get pods --sort-by=.metadata.creationTimestamp -o name',
    'get deploy,configmaps',
    'get deployment/web configmap/plain',
    'get deploy web -o yaml',
    'get cm plain -o yaml',
    'get cm plain -o json',
    'get pods -o jsonpath={.items[*].status.phase}',
    'get pods -o custom-columns=NAME:.metadata.name,IP:.status.podIP',
    'get configmaps plain none',
    'get configmap none --ignore-not-found',
    'get nodes',
    'get namespaces',
    'get services -A',
    'get pods -n nowhere',
    'get -f web.json',
    'get --raw /version',
    'scale deployment/web --replicas=2',
    'delete configmap none',
    'delete configmap none --ignore-not-found',
    'apply -f none.yaml',
    'get nonsense',
  ])('%s', async (line) => {
    const [ours, theirs] = [await berth(line), await kubectl.run(line.split(' '), { cwd: folder })];
    expect({ code: ours.code, stdout: ageless(ours.stdout) }).toEqual({ code: theirs.code, stdout: ageless(theirs.stdout) });
    // The first line says what is wrong; ours may say in a second one what to do.
    expect(ours.stderr.split('\n')[0]).toBe(theirs.stderr.split('\n')[0]);
  });

  test('applied by one, it is unchanged for the other', async () => {
    file('both.json', { apiVersion: 'v1', kind: 'List', items: [deployment('both', 0), configMap('both', { html: '<a>&amp;</a>' })] });
    await kubectl.succeed('apply', '-f', join(folder, 'both.json'));
    expect((await berth('apply -f both.json --no-wait')).stdout).toBe('configmap/both unchanged\ndeployment.apps/both unchanged\n');
    expect((await berth('delete -f both.json')).stdout).toBe('deployment.apps "both" deleted\nconfigmap "both" deleted\n');
    await berth('apply -f both.json --no-wait');
    expect(await kubectl.succeed('apply', '-f', join(folder, 'both.json'))).toBe(
      'deployment.apps/both unchanged\nconfigmap/both unchanged\n',
    );
  });
});

describe('get', () => {
  test('-o yaml can be applied again as it is', async () => {
    const before = await cluster.client.get(configMaps, { name: 'plain', namespace: 'default' });
    const { stdout } = await berth('get configmap plain -o yaml');
    expect(stdout).toContain('answer: "yes"');
    expect((await berth('apply -f -', { input: stdout })).code).toBe(0);
    expect((await cluster.client.get(configMaps, { name: 'plain', namespace: 'default' })).data).toEqual(before.data);
  });

  test('-w shows what changes, until --request-timeout', async () => {
    const watching = berth('get configmaps -w --request-timeout=3s -o name');
    // Listed where it is there before the list, and an event otherwise.
    await cluster.client.create(configMaps, { metadata: { name: 'seen-once', namespace: 'default' } });
    expect(await watching).toMatchObject({ code: 0, stdout: expect.stringMatching(/configmap\/seen-/), stderr: '' });
  });

  test('shows no control characters of others', async () => {
    await cluster.client.create(events, {
      metadata: { name: 'evil', namespace: 'default' },
      involvedObject: { kind: 'Pod', name: 'x', namespace: 'default' },
      message: 'red \u001b[31m alert\u0007',
      reason: 'Evil',
      type: 'Warning',
    });
    expect((await berth('events')).stdout).toContain('red \\x1b[31m alert\\x07');
  });
});

describe('apply', () => {
  test('checks all before it changes anything: a file with a broken part changes nothing', async () => {
    file('half.yaml', `${JSON.stringify(configMap('half'))}\n---\n${JSON.stringify({ ...configMap('wrong'), data: { a: 1 } })}\n`);
    const result = await berth('apply -f half.yaml');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/^Error from server \(BadRequest\): half\.yaml:3: .*data.*\n {2}Nothing was applied\.\n$/s);
    expect(await cluster.client.find(configMaps, { name: 'half', namespace: 'default' })).toBeUndefined();
    file('unparsable.yaml', `${JSON.stringify(configMap('half'))}\n---\na: [\n`);
    expect(await berth('apply -f unparsable.yaml')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: unparsable\.yaml:4:1: .*\n {2}Nothing was applied\.\n$/),
    });
    expect(await cluster.client.find(configMaps, { name: 'half', namespace: 'default' })).toBeUndefined();
  });

  test('a namespace and what is in it, in one file, whatever the order', async () => {
    file(
      'space.yaml',
      [
        { ...configMap('inside'), metadata: { name: 'inside', namespace: 'space' } },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'space' } },
      ]
        .map((object) => JSON.stringify(object))
        .join('\n---\n'),
    );
    expect(await berth('apply -f space.yaml')).toMatchObject({ code: 0, stdout: 'namespace/space created\nconfigmap/inside created\n' });
  });

  test('warnings of the server are shown', async () => {
    file('stored.json', {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'stored' },
      spec: { podSelector: {} },
    });
    expect((await berth('apply -f stored.json')).stderr).toMatch(/^Warning: .+\n/);
  });

  test('waits for workloads, and ends with what runs and where', async () => {
    file('waits.json', {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        deployment('waits', 2),
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'waits' },
          spec: { type: 'NodePort', selector: { app: 'waits' }, ports: [{ port: 80, nodePort: 31234 }] },
        },
      ],
    });
    const { code, stdout, stderr } = await berth('apply -f waits.json');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('deployment/waits: 2/2 Available\n') });
    expect(stdout).toMatch(
      /^service\/waits created\ndeployment\.apps\/waits created\n\nWORKLOAD +POD +STATUS +NODE +ADDRESS\ndeployment\/waits +waits-\S+ +Running +node-\d +10\./,
    );
    expect(stdout).toContain('service/waits   31234->80/tcp   http://127.0.0.1:31234');
  });

  test('what fits nowhere ends with 2 and the smallest change that would help, long before the time is up', async () => {
    file('big.json', deployment('big', 1, { resources: { requests: { cpu: '64' } } }));
    const result = await berth('apply -f big.json --timeout 10m', { hurry: 20 });
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(
      /error: deployment\/big is not ready: Progressing\n {2}berth describe deployment\/big and berth why deployment\/big say more\.\n {2}pod\/big-\S+ fits on no node: 0\/2 nodes are available: 2 Insufficient cpu\./,
    );
    expect(result.stderr).toMatch(/What would help: .*cpu/);
    const why = await berth('why deployment/big');
    expect(why).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/is not placed: 0\/2 nodes are available[\s\S]*node-1[\s\S]*What would help: /),
    });
    await berth('delete -f big.json');
  });

  test('what is not ready when the time is up ends with 1', async () => {
    file('never.json', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'never' },
      spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'x' }] },
    });
    expect(await berth('apply -f never.json --timeout 60s', { hurry: 20 })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'error: pod/never is not ready: Pending\n  berth describe pod/never and berth why pod/never say more.\n',
      ),
    });
  });

  test('changes nothing with --dry-run, and waits for nothing', async () => {
    file('dry.json', configMap('dry'));
    expect(await berth('apply -f dry.json --dry-run=server')).toMatchObject({ code: 0, stdout: 'configmap/dry created (dry run)\n' });
    expect(await cluster.client.find(configMaps, { name: 'dry', namespace: 'default' })).toBeUndefined();
    file('dry/compose.yaml', 'services: {web: {image: x}}\nconfigs: {c: {content: x}}\n');
    expect(await berth('apply -f dry --dry-run')).toMatchObject({ code: 0, stdout: 'stack.compose.berth.dev/dry created (dry run)\n' });
    expect(await cluster.client.find(stacks, { name: 'dry', namespace: 'default' })).toBeUndefined();
  });

  test('a stack that the server refuses leaves no contents behind', async () => {
    file('nowhere/compose.yaml', 'services: {web: {image: x, configs: [c]}}\nconfigs: {c: {content: x}}\n');
    expect(await berth('apply -f nowhere -n nowhere')).toMatchObject({
      code: 1,
      stderr: 'Error from server (NotFound): namespaces "nowhere" not found\n',
    });
    file('long/compose.yaml', `name: ${'x'.repeat(50)}\nservices: {web: {image: x, configs: [c]}}\nconfigs: {c: {content: x}}\n`);
    expect(await berth('apply -f long')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /compose\.yaml:1:1: name: .*at most 40 characters; choose another with -p\n {2}Nothing was applied\.\n$/,
      ),
    });
    expect((await berth('get configmaps -A -l compose.berth.dev/stack')).stdout).toBe('');
  });

  test('a stack that is on its way out is waited for', async () => {
    file('again/compose.yaml', 'services: {web: {image: x}}\n');
    expect(await berth('apply -f again')).toMatchObject({ code: 0 });
    const { uid } = (await cluster.client.get(stacks, { name: 'again', namespace: 'default' })).metadata;
    expect(await berth('delete stack again --no-wait')).toMatchObject({ code: 0 });
    expect(await berth('apply -f again')).toMatchObject({ code: 0, stdout: expect.stringContaining('again created\n') });
    expect((await cluster.client.get(stacks, { name: 'again', namespace: 'default' })).metadata.uid).not.toBe(uid);
  });

  test('on a terminal progress is a table, in colours unless NO_COLOR is set', async () => {
    file('moving/compose.yaml', 'services: {web: {image: x}}\n');
    const coloured = await berth('apply -f moving', { terminal: true });
    expect(coloured.stderr).toContain('\u001b[32mweb');
    expect(coloured.stdout).not.toContain('\u001b');
    await berth('delete stack moving');
    const plain = await berth('apply -f moving', { terminal: true, environment: { NO_COLOR: '1' } });
    expect(plain.stderr).toMatch(/^NAME +READY +STATE +MESSAGE\nweb +/);
    expect(plain.stderr).not.toContain('\u001b[32m');
  });
});

describe('delete', () => {
  test('waits until it is gone, and says what holds it when the time is up', async () => {
    await cluster.client.create(configMaps, { metadata: { name: 'held', namespace: 'default', finalizers: ['example.com/hold'] } });
    expect(await berth('delete configmap held --timeout 1s')).toMatchObject({
      code: 1,
      stdout: 'configmap "held" deleted\n',
      stderr: expect.stringMatching(/^error: configmap "held" is still there after 1 s\n {2}Its finalizers: example\.com\/hold;/),
    });
    expect(await berth('delete configmap held --wait=false')).toMatchObject({ code: 0 });
  });

  test('by labels and fields, never by accident all', async () => {
    for (const name of ['one', 'two'])
      await cluster.client.create(configMaps, { metadata: { name, namespace: 'default', labels: { group: 'g' } } });
    expect(await berth('delete configmaps')).toMatchObject({ code: 1, stderr: expect.stringContaining('name what is to be deleted') });
    expect(await berth('delete configmaps one -l group=g')).toMatchObject({ code: 1 });
    expect(await berth('delete configmaps one --all')).toMatchObject({ code: 1 });
    expect(await berth('delete configmaps --field-selector metadata.name=one -o name')).toMatchObject({
      code: 0,
      stdout: 'configmap/one\n',
    });
    expect(await berth('delete configmaps -l group=g --dry-run')).toMatchObject({ code: 0, stdout: 'configmap "two" deleted (dry run)\n' });
    expect(await berth('delete configmaps -l group=g')).toMatchObject({ code: 0, stdout: 'configmap "two" deleted\n' });
  });
});

describe('what is written wrongly', () => {
  test.each([
    ['apply -f web.json --timeout soon', '--timeout is a length of time such as 30s, 2m or 1h, not "soon"'],
    ['apply -f web.json --dry-run=perhaps', '--dry-run is server, client or none, not "perhaps"'],
    ['apply -f none', 'the path "none" does not exist'],
    ['apply', "required option '-f, --filename <file>' not specified"],
    ['delete pod x --grace-period=x', '--grace-period is a whole number from 0, not "x"'],
    ['delete pod x --cascade=all', '--cascade is background, foreground or orphan, not "all"'],
    ['delete -f web.json pod', 'name objects or files, not both'],
    ['scale deployment/web --replicas=-1', '--replicas is a whole number from 0, not "-1"'],
    ['scale deployment --replicas=1', 'name the deployment to scale'],
    ['scale deployment/web --replicas=1 --current-replicas=9', 'deployment "web" has 2 replicas, not 9'],
    ['scale deployment/web --replicas=1 --service x', '--service is for stacks'],
    ['logs', 'name a pod, or give -l with labels'],
    ['logs configmap/plain', 'a ConfigMap has no pods'],
    ['logs pod/x/y', '"pod/x/y" is not type/name'],
    ['logs web --since 1day', '--since is a length of time such as 30s, 2m or 1h, not "1day"'],
    ['logs deployment/web --service x', '--service is for stacks'],
    ['why configmap/plain', 'a ConfigMap has no pods'],
    ['get', 'name a type of resource'],
    ['get podz', 'Did you mean "pods"?'],
    ['get pods -o xml', 'unknown output format "xml"'],
    ['get pods -o jsonpath={.a[', 'cannot be read'],
    ['get pods,services -w', '-w watches one type of resource'],
    ['get pods -l a=(', 'Error from server (BadRequest)'],
    ['describe pods -l none=none', 'there is nothing to describe'],
    ['token create --ttl soon', '--ttl'],
    ['version -o xml', '-o is json or yaml, not "xml"'],
    ['--context none get pods', 'none'],
    ['aply -f x', 'Did you mean apply?'],
    ['get pods --request-timeout=x', '--request-timeout is a length of time'],
  ])('%s', async (line, reason) => {
    const result = await berth(line);
    expect({ line, ...result }).toMatchObject({ line, code: 1, stdout: '', stderr: expect.stringContaining(reason) });
    expect(result.stderr).not.toMatch(/\n +at /);
  });

  test('a cluster that is not there is told with what to do', async () => {
    const lost = (kubeconfig: string): Promise<CommandResult> =>
      runBerth(['get', 'pods'], { kubeconfig, workingDirectory: folder, environment: { BERTH_HOME: join(folder, 'no-home') } });
    expect(await lost(join(folder, 'none'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: there is no cluster to talk to: .*\n {2}`berth up` starts one on this machine/),
    });
    file('gone.json', {
      clusters: [{ name: 'x', cluster: { server: 'https://127.0.0.1:1' } }],
      contexts: [{ name: 'x', context: { cluster: 'x' } }],
      'current-context': 'x',
    });
    expect(await lost(join(folder, 'gone.json'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: the server https:\/\/127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)\n {2}`berth up`/),
    });
  });
});

describe('objects that cannot be', () => {
  const refusal = async (content: string | object): Promise<string> => {
    file('bad.yaml', content);
    const result = await berth('apply -f bad.yaml');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    return result.stderr;
  };

  test.each<[string, string | object, RegExp]>([
    ['not YAML', 'a: [b', /^error: bad\.yaml:1:\d+: /],
    ['no mapping', '- a\n', /^error: bad\.yaml:1: a manifest must be a mapping/],
    ['empty', '', /^error: bad\.yaml: there is no manifest in it/],
    ['deeply nested', `a: ${'['.repeat(5000)}`, /^error: bad\.yaml:1:\d+: nested more than 100 levels deep/],
    [
      'a bomb of aliases',
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      /^error: bad\.yaml:1: .*alias/i,
    ],
    [
      'a Compose file with a bomb',
      `services: {web: {image: x}}\nx-a: &a [x,x,x,x,x,x,x,x,x]\nx-b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nx-c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nx-d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nx-e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nx-f: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n`,
      /bad\.yaml:\d+:\d+: .*200000 values once its aliases are expanded/,
    ],
    ['no apiVersion', { kind: 'ConfigMap', metadata: { name: 'x' } }, /^error: bad\.yaml:1: apiVersion is missing/],
    [
      'an unknown kind',
      { apiVersion: 'v1', kind: 'Potato', metadata: { name: 'x' } },
      /^error: bad\.yaml:1: the server has no kind "Potato" in version "v1"/,
    ],
    [
      'an unknown version',
      { apiVersion: 'apps/v9', kind: 'Deployment', metadata: { name: 'x' } },
      /no kind "Deployment" in version "apps\/v9"/,
    ],
    ['an unknown field', { ...configMap('x'), nonsense: 1 }, /bad\.yaml:1: .*unknown field "nonsense"/],
    ['a field of the wrong type', deployment('x', 'two' as unknown as number), /bad\.yaml:1: .*replicas/],
    ['no name', { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} }, /bad\.yaml:1: ConfigMap: metadata\.name is missing/],
    ['a name that is not allowed', configMap('Not_Allowed'), /ConfigMap "Not_Allowed" is invalid: metadata\.name: Invalid value/],
    ['a name that is too long', configMap('x'.repeat(300)), /is invalid: metadata\.name: .*no more than 253/],
    ['an object that is too large', configMap('x', { a: 'x'.repeat(1_600_000) }), /RequestEntityTooLarge|Too long/i],
    ['a file that is too large', 'x'.repeat(17 * 1024 * 1024), /^error: bad\.yaml has \d+ bytes; at most \d+ are read/],
  ])('%s', async (_name, content, reason) => {
    expect(await refusal(content)).toMatch(reason);
  });

  test('a resourceVersion of the future, or of before, changes nothing', async () => {
    await cluster.client.create(configMaps, { metadata: { name: 'versioned', namespace: 'default' }, data: { a: '1' } });
    const versioned = (resourceVersion: string): object => ({
      ...configMap('versioned', { a: '2' }),
      metadata: { name: 'versioned', resourceVersion },
    });
    for (const version of ['999999999', '1'])
      expect(await refusal(versioned(version))).toMatch(/Error from server \(Conflict\): bad\.yaml:1: .*the object has been modified/);
    expect(await refusal(versioned('x'))).toMatch(/Error from server \(\w+\): bad\.yaml:1: /);
    expect((await cluster.client.get(configMaps, { name: 'versioned', namespace: 'default' })).data).toEqual({ a: '1' });
  });

  test('two writers on one object: each change is there in the end', async () => {
    await cluster.client.create(configMaps, { metadata: { name: 'contended', namespace: 'default' }, data: {} });
    const writers = Array.from({ length: 8 }, (_, number) => number);
    const results = await Promise.all(
      writers.map((number) =>
        runBerth(['apply', '-f', '-'], {
          kubeconfig: cluster.kubeconfig,
          workingDirectory: folder,
          input: JSON.stringify(configMap('contended', { [`key-${number}`]: 'x' })),
        }),
      ),
    );
    expect(results.map(({ code }) => code)).toEqual(writers.map(() => 0));
    // Who applies last takes away what the one before had applied, as with kubectl: one of them, whole.
    const { data = {} } = await cluster.client.get(configMaps, { name: 'contended', namespace: 'default' });
    expect(Object.keys(data).length).toBeGreaterThanOrEqual(1);
  });
});

describe('tokens, versions, nodes', () => {
  test('token create prints the token and the command that uses it', async () => {
    const { stdout } = await berth('token create --ttl 1h');
    expect(stdout).toMatch(/^\S+\n\nOn the machine that is to join:\n {2}berth agent --server \S+:\d+ --token-file FILE-WITH-THE-TOKEN\n/);
    expect((await berth('token create -q')).stdout).toMatch(/^\S+\n$/);
  });

  test('version: of both', async () => {
    expect((await berth('version')).stdout).toMatch(/^Berth: \d\S+\nServer: v1\.33\.\d+\+berth\.\S+\n$/);
    expect(JSON.parse((await berth('version -o json')).stdout)).toMatchObject({ clientVersion: {}, serverVersion: { major: '1' } });
  });

  test('describe of every kind that has a form of its own, and of any other', async () => {
    await cluster.client.create(secrets, { metadata: { name: 'described', namespace: 'default' } });
    for (const line of [
      'describe pods',
      'describe deployment web',
      'describe nodes',
      'describe namespace default',
      'describe service kubernetes',
      'describe configmap plain',
      'describe replicasets',
      'describe secrets -A',
    ]) {
      expect({ line, ...(await berth(line)) }).toMatchObject({ line, code: 0, stderr: '', stdout: expect.stringMatching(/^Name: +\S+\n/) });
    }
    expect((await berth('describe configmap plain')).stdout).toContain('Data\n====\nanswer:\n----\nyes\n');
    const [pod] = (await cluster.client.list(pods, { namespace: 'default', labelSelector: 'app=web' })).items;
    expect((await berth(`describe pod ${pod?.metadata.name}`)).stdout).toMatch(/Controlled By: +ReplicaSet\/web-/);
  });
});
