/**
 * The rows of the kubectl matrix: a command as its users write it, and what it must print or change. A row has the pods and deployments that it
 * changes for itself, so that rows depend on nothing but what every namespace begins with: the pod `solo` (a page on port 8080, and what comes on its
 * standard input is said again) and the deployment `web`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { eventually } from '../harness/commands.ts';
import type { Kubectl } from '../harness/kubectl.ts';

export const image = 'berth.local/hello:1';

/** What a row has to work with: one kubectl, in a namespace of its own. */
export interface Bench {
  readonly kubectl: Kubectl;
  readonly namespace: string;
  readonly node: string;
  /** An empty folder of the bench's own. */
  readonly folder: string;
  /** `kubectl -n NAMESPACE …`, which must succeed; gives stdout. */
  run(...args: string[]): Promise<string>;
  /** The same, whatever its exit code; gives stdout and stderr. */
  attempt(...args: string[]): Promise<string>;
}

export interface Row {
  readonly command: string;
  /** What it must print or change, for the table in the documentation. */
  readonly does: string;
  /** The first kubectl that has it. */
  readonly since?: string;
  /** What it changes is everyone's (a node): one version after the other. */
  readonly alone?: boolean;
  check(bench: Bench): Promise<void>;
}

export const soloPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'solo', labels: { app: 'solo' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image,
        stdin: true,
        command: [
          'sh',
          '-c',
          'mkdir -p /www; echo page > /www/index.html; httpd -p 8080 -h /www; while read -r line; do echo "said $line"; done',
        ],
      },
    ],
  },
};

/** A row whose command prints something. */
function prints(command: string, does: string, pattern: RegExp, more: Partial<Row> = {}): Row {
  return {
    command,
    does,
    ...more,
    check: async ({ run }) => {
      expect(await run(...words(command))).toMatch(pattern);
    },
  };
}

/** A command as it is typed: words, some of them in single quotes. */
function words(command: string): string[] {
  return [...command.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));
}

function file(bench: Bench, name: string, content: object): string {
  const path = join(bench.folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const configMap = (name: string, value: string, labels: Record<string, string> = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data: { key: value },
});

/** Starts a kubectl that does not end by itself, waits until it has printed `ready`, and ends it after `use`. */
async function during(
  bench: Bench,
  args: readonly string[],
  ready: RegExp,
  use: (found: RegExpMatchArray) => Promise<void>,
): Promise<void> {
  let output = '';
  let end: () => void = () => undefined;
  const ended = bench.kubectl.run(['-n', bench.namespace, ...args], {
    timeout: 60_000,
    onStart: (child) => {
      end = () => void child.kill();
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    },
  });
  try {
    await use(await eventually(`kubectl ${args.join(' ')} is ready`, async () => output.match(ready) ?? undefined));
  } finally {
    end();
    await ended;
  }
}

/** Says words to a kubectl that is attached to a process, which must answer `said WORD`; then ends its input, and with it the kubectl. */
async function talk({ kubectl, namespace }: Bench, args: readonly string[], spoken: readonly string[]): Promise<void> {
  const child = spawn(kubectl.path, ['-n', namespace, ...args], { env: kubectl.env, timeout: 60_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const ended = once(child, 'close');
  await eventually('it is attached', async () => (output.includes('command prompt') ? true : undefined));
  for (const word of spoken) {
    child.stdin.write(`${word}\n`);
    await eventually(`the answer to ${word}`, async () => (output.includes(`said ${word}\n`) ? true : undefined));
  }
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
}

const text = async (url: string): Promise<string> => await (await fetch(url)).text();

/** A deployment of the row's own. */
async function deployment(bench: Bench, name: string, replicas = 1): Promise<string> {
  await bench.run('create', 'deployment', name, `--image=${image}`, `--replicas=${replicas}`, '--', 'sleep', '3600');
  if (replicas > 0) await bench.run('rollout', 'status', `deployment/${name}`, '--timeout=60s');
  return `deployment/${name}`;
}

const field = (bench: Bench, object: string, path: string): Promise<string> => bench.run('get', object, '-o', `jsonpath={${path}}`);

export const rows: readonly Row[] = [
  prints(
    'explain deployments',
    'group, kind, version, what it is, and fields',
    /KIND: +Deployment[\s\S]*Keeps pods of a template running[\s\S]*FIELDS:[\s\S]*spec\s+<DeploymentSpec>/,
  ),
  prints('explain pod.spec.containers.image', 'type and description of one field', /FIELD: +image <string>[\s\S]*What to run/),
  prints(
    'explain service.spec',
    'a field, its type, and the fields inside',
    /FIELD: +spec <ServiceSpec>[\s\S]*What is wanted[\s\S]*clusterIP/,
  ),
  prints('explain stack', "the fields of Berth's own kind", /KIND: +Stack[\s\S]*spec\s+<StackSpec>/),
  prints('explain job.spec --recursive', 'all fields below', /backoffLimit\s+<integer>[\s\S]*containers\s+<\[\]Container>/),

  prints('api-versions', 'every group and version', /^apps\/v1$[\s\S]*^batch\/v1$[\s\S]*^compose\.berth\.dev\/v1alpha1$[\s\S]*^v1$/m),
  prints('cluster-info', 'where the API server is', /control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/),
  {
    command: 'cluster-info dump --output-directory=DIR',
    does: 'writes nodes, pods, events and logs as files',
    check: async ({ run, folder, namespace }) => {
      const directory = join(folder, 'dump');
      await run('cluster-info', 'dump', `--output-directory=${directory}`, `--namespaces=${namespace}`);
      expect(readFileSync(join(directory, 'nodes.json'), 'utf8')).toMatch(/"kind": "NodeList"/);
      expect(readFileSync(join(directory, namespace, 'pods.json'), 'utf8')).toMatch(/"name": "solo"/);
    },
  },
  prints('auth can-i create pods', '`yes`', /^yes$/m),
  prints('auth can-i --list', 'what the user may do', /\*\.\* +\[\] +\[\] +\[\*\]/),
  prints('auth whoami', 'the name and groups of the user', /Username +berth-admin[\s\S]*system:masters/),

  prints('top nodes', 'CPU and memory of each node', /^NAME +CPU\(cores\).*\n\S+ +\d+m +\d+%/),
  prints('top pods', 'CPU and memory of each pod', /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\n(.*\n)*solo +\d+m +\d+Mi/),
  prints('top pod solo --containers', 'of each container', /^POD +NAME +CPU\(cores\).*\nsolo +main +\d+m +\d+Mi/),

  prints('get --raw /readyz', 'the answer as it is', /^ok$/),
  prints('get pods --field-selector metadata.name=solo -o name', 'the pod of that name alone', /^pod\/solo\n$/),
  prints('get pods --field-selector status.phase!=Running -o name', 'none', /^$/),
  prints('get pods --sort-by=.metadata.name -o name', 'in order', /^pod\/solo\npod\/web-[^\n]+\n/),
  prints(
    'get pod solo -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image',
    'a table of those fields',
    /^NAME +IMAGE\nsolo +berth\.local\/hello:1\n$/,
  ),
  prints("get pod solo -o 'go-template={{.metadata.name}} on {{.spec.nodeName}}'", 'the template filled in', /^solo on \S+$/),

  {
    command: 'create configmap|secret generic|docker-registry|tls',
    does: 'the objects, with their types',
    check: async (bench) => {
      const { run, folder, kubectl } = bench;
      expect(await run('create', 'configmap', 'made', '--from-literal=a=b')).toMatch(/configmap\/made created/);
      expect(await run('create', 'secret', 'generic', 'plain', '--from-literal=a=b')).toMatch(/secret\/plain created/);
      await run(
        'create',
        'secret',
        'docker-registry',
        'registry',
        '--docker-server=example.com',
        '--docker-username=u',
        '--docker-password=p',
      );
      expect(await field(bench, 'secret/registry', '.type')).toBe('kubernetes.io/dockerconfigjson');
      const view = JSON.parse(await kubectl.succeed('config', 'view', '--raw', '-o', 'json')) as {
        users: { user: Record<string, string> }[];
      };
      const { user } = view.users[0]!;
      const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
      writeFileSync(certificate, pem(user, 'client-certificate'));
      writeFileSync(key, pem(user, 'client-key'));
      await run('create', 'secret', 'tls', 'pair', `--cert=${certificate}`, `--key=${key}`);
      expect(await field(bench, 'secret/pair', '.type')).toBe('kubernetes.io/tls');
    },
  },
  {
    command: 'create service clusterip|nodeport|loadbalancer|externalname',
    does: 'services of each type',
    check: async (bench) => {
      await bench.run('create', 'service', 'clusterip', 'inside', '--tcp=80:8080');
      await bench.run('create', 'service', 'nodeport', 'outside', '--tcp=80:8080');
      await bench.run('create', 'service', 'loadbalancer', 'balanced', '--tcp=80');
      await bench.run('create', 'service', 'externalname', 'elsewhere', '--external-name=example.com');
      const types = await field(bench, 'services', '.items[*].spec.type');
      for (const type of ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']) expect(types).toContain(type);
    },
  },
  {
    command: 'create serviceaccount|role|rolebinding|clusterrole|clusterrolebinding',
    does: 'accounts and rules',
    check: async ({ run, namespace }) => {
      expect(await run('create', 'serviceaccount', 'robot')).toMatch(/serviceaccount\/robot created/);
      expect(await run('create', 'role', 'reader', '--verb=get,list', '--resource=pods')).toMatch(/role\S*\/reader created/);
      expect(await run('create', 'rolebinding', 'readers', '--role=reader', '--user=jane')).toMatch(/rolebinding\S*\/readers created/);
      const name = `reader-${namespace}`;
      expect(await run('create', 'clusterrole', name, '--verb=get', '--resource=nodes')).toMatch(/clusterrole\S* created/);
      expect(await run('create', 'clusterrolebinding', name, `--clusterrole=${name}`, '--user=jane')).toMatch(/created/);
      await run('delete', 'clusterrole,clusterrolebinding', name);
    },
  },
  {
    command: 'create job|cronjob, create job --from=cronjob/NAME',
    does: 'the objects; a job owned by the cron job',
    check: async (bench) => {
      const { run } = bench;
      expect(await run('create', 'job', 'once', `--image=${image}`, '--', 'true')).toMatch(/job\.batch\/once created/);
      expect(await run('create', 'cronjob', 'yearly', `--image=${image}`, '--schedule=0 0 1 1 *', '--', 'true')).toMatch(/created/);
      expect(await run('create', 'job', 'manual', '--from=cronjob/yearly')).toMatch(/job\.batch\/manual created/);
      expect(await field(bench, 'job/manual', '.metadata.ownerReferences[0].kind')).toBe('CronJob');
      await run('delete', 'cronjob,job', '--all', '--wait=false');
    },
  },
  {
    command: 'create ingress|poddisruptionbudget|quota|priorityclass|namespace',
    does: 'the objects',
    check: async ({ run, namespace }) => {
      expect(await run('create', 'ingress', 'door', '--rule=example.com/*=web:80')).toMatch(/door created/);
      expect(await run('create', 'poddisruptionbudget', 'steady', '--selector=app=none', '--min-available=1')).toMatch(/steady created/);
      expect(await run('create', 'quota', 'bound', '--hard=pods=100')).toMatch(/bound created/);
      await run('delete', 'quota', 'bound');
      const name = `class-${namespace}`;
      expect(await run('create', 'priorityclass', name, '--value=10')).toMatch(/created/);
      await run('delete', 'priorityclass', name);
      expect(await run('create', 'namespace', name, '--dry-run=server', '-o', 'name')).toBe(`namespace/${name}\n`);
    },
  },
  {
    command: 'run NAME --image=IMAGE --restart=Never',
    does: 'a pod that runs',
    check: async (bench) => {
      await bench.run('run', 'ran', `--image=${image}`, '--restart=Never', '--command', '--', 'sh', '-c', 'echo it ran');
      await bench.run('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/ran', '--timeout=60s');
      expect(await bench.run('logs', 'ran')).toBe('it ran\n');
    },
  },
  {
    command: 'run NAME --rm -i --restart=Never',
    does: "the pod's output; then the pod is gone",
    check: async (bench) => {
      const output = await bench.run(
        'run',
        'brief',
        `--image=${image}`,
        '--rm',
        '-i',
        '--restart=Never',
        '--command',
        '--',
        'sh',
        '-c',
        'sleep 1; echo brief words; sleep 1',
      );
      expect(output).toMatch(/brief words/);
      expect(await bench.attempt('get', 'pod', 'brief')).toMatch(/not found/);
    },
  },
  {
    command: 'expose deployment NAME --port --target-port',
    does: 'a service that selects its pods',
    check: async (bench) => {
      expect(await bench.run('expose', 'deployment', 'web', '--name=exposed', '--port=80', '--target-port=8080')).toMatch(
        /service\/exposed exposed/,
      );
      expect(await field(bench, 'service/exposed', '.spec.selector.app')).toBe('web');
    },
  },
  {
    command: 'autoscale deployment NAME --min --max',
    does: 'a HorizontalPodAutoscaler',
    check: async (bench) => {
      await deployment(bench, 'elastic', 0);
      expect(await bench.run('autoscale', 'deployment', 'elastic', '--min=1', '--max=3', '--cpu-percent=80')).toMatch(/elastic autoscaled/);
      expect(await field(bench, 'hpa/elastic', '.spec.maxReplicas')).toBe('3');
    },
  },

  {
    command: 'apply, apply --prune -l LABEL',
    does: 'removes what is no longer among the files',
    check: async (bench) => {
      const [stays, goes] = ['stays', 'goes'].map((name) => file(bench, name, configMap(name, '1', { set: 'pruned' })));
      await bench.run('apply', '-f', stays!, '-f', goes!);
      expect(await bench.run('apply', '-f', stays!, '--prune', '-l', 'set=pruned', '--prune-allowlist=core/v1/ConfigMap')).toMatch(
        /configmap\/stays unchanged\nconfigmap\/goes pruned/,
      );
      expect(await bench.run('get', 'configmaps', '-l', 'set=pruned', '-o', 'name')).toBe('configmap/stays\n');
    },
  },
  {
    command: 'kustomize DIR, apply -k DIR',
    does: 'the built manifests; applies them',
    check: async (bench) => {
      const folder = join(bench.folder, 'kustomization');
      mkdirSync(folder);
      writeFileSync(join(folder, 'map.json'), JSON.stringify(configMap('map', 'k')));
      writeFileSync(join(folder, 'kustomization.yaml'), 'namePrefix: built-\nresources: [map.json]\n');
      expect(await bench.run('kustomize', folder)).toMatch(/name: built-map/);
      expect(await bench.run('apply', '-k', folder)).toMatch(/configmap\/built-map created/);
    },
  },
  {
    command: 'replace, replace --force',
    does: 'the new content; --force makes it anew',
    check: async (bench) => {
      const missing = file(bench, 'replaced', configMap('replaced', 'one'));
      expect(await bench.attempt('replace', '-f', missing)).toMatch(/NotFound/);
      await bench.run('create', '-f', missing);
      const uid = await field(bench, 'configmap/replaced', '.metadata.uid');
      expect(await bench.run('replace', '-f', file(bench, 'replacement', configMap('replaced', 'two')))).toMatch(/replaced/);
      expect(await field(bench, 'configmap/replaced', '.data.key')).toBe('two');
      expect(await field(bench, 'configmap/replaced', '.metadata.uid')).toBe(uid);
      await bench.run('replace', '--force', '-f', missing);
      expect(await field(bench, 'configmap/replaced', '.data.key')).toBe('one');
      expect(await field(bench, 'configmap/replaced', '.metadata.uid')).not.toBe(uid);
    },
  },
  {
    command: 'annotate, annotate KEY-',
    does: 'adds and removes an annotation',
    check: async (bench) => {
      expect(await bench.run('annotate', 'pod', 'solo', 'note=some words')).toMatch(/annotate/);
      expect(await field(bench, 'pod/solo', '.metadata.annotations.note')).toBe('some words');
      expect(await bench.attempt('annotate', 'pod', 'solo', 'note=other')).toMatch(/--overwrite is false/);
      await bench.run('annotate', 'pod', 'solo', 'note-');
      expect(await field(bench, 'pod/solo', '.metadata.annotations.note')).toBe('');
    },
  },

  {
    command: 'rollout history, --revision=N',
    does: 'the revisions, and the pod template of one',
    check: async (bench) => {
      const name = await deployment(bench, 'storied', 0);
      await bench.run('annotate', name, 'kubernetes.io/change-cause=first words');
      await bench.run('set', 'env', name, 'A=B');
      await eventually('the second revision', async () => (/^2 /m.test(await bench.run('rollout', 'history', name)) ? true : undefined));
      expect(await bench.run('rollout', 'history', name, '--revision=1')).toMatch(/revision #1[\s\S]*Image:\s+berth\.local\/hello:1/);
      expect(await bench.run('rollout', 'history', name, '--revision=2')).toMatch(/A:\s+B/);
    },
  },
  {
    command: 'rollout pause, rollout resume',
    does: 'a paused deployment changes no pods',
    check: async (bench) => {
      const name = await deployment(bench, 'paused');
      const sets = () => bench.run('get', 'replicasets', '-l', 'app=paused', '-o', 'name');
      expect(await bench.run('rollout', 'pause', name)).toMatch(/paused/);
      await bench.run('set', 'env', name, 'A=B');
      await eventually('the change was seen', async () =>
        (await field(bench, name, '.status.observedGeneration')) === (await field(bench, name, '.metadata.generation')) ? true : undefined,
      );
      expect((await sets()).trim().split('\n')).toHaveLength(1);
      expect(await bench.run('rollout', 'resume', name)).toMatch(/resumed/);
      await bench.run('rollout', 'status', name, '--timeout=60s');
      expect((await sets()).trim().split('\n')).toHaveLength(2);
      await bench.run('delete', name, '--wait=false');
    },
  },
  {
    command: 'set env|image|resources|serviceaccount',
    does: 'changes the pod template',
    check: async (bench) => {
      const name = await deployment(bench, 'changed', 0);
      await bench.run('set', 'env', name, 'COLOR=blue');
      expect(await bench.run('set', 'env', name, '--list')).toMatch(/COLOR=blue/);
      await bench.run('set', 'image', name, `hello=berth.local/other:1`);
      await bench.run('set', 'resources', name, '--limits=cpu=200m', '--requests=cpu=100m');
      await bench.run('set', 'serviceaccount', name, 'default');
      const template = JSON.parse(await field(bench, name, '.spec.template.spec')) as object;
      expect(template).toMatchObject({
        serviceAccountName: 'default',
        containers: [{ image: 'berth.local/other:1', env: [{ name: 'COLOR', value: 'blue' }], resources: { limits: { cpu: '200m' } } }],
      });
    },
  },
  {
    command: 'set selector|subject',
    does: "changes a service's selector, a binding's subjects",
    check: async (bench) => {
      await bench.run('create', 'service', 'clusterip', 'chosen', '--tcp=80');
      await bench.run('set', 'selector', 'service/chosen', 'app=web,tier=front');
      expect(JSON.parse(await field(bench, 'service/chosen', '.spec.selector'))).toEqual({ app: 'web', tier: 'front' });
      await bench.run('create', 'rolebinding', 'subjects', '--clusterrole=view', '--user=jane');
      await bench.run('set', 'subject', 'rolebinding/subjects', '--user=bob');
      expect(await field(bench, 'rolebinding/subjects', '.subjects[*].name')).toBe('jane bob');
    },
  },

  {
    command: 'wait --for=jsonpath=…',
    does: 'ends when the field has the value',
    check: async ({ run, attempt }) => {
      expect(await run('wait', '--for=jsonpath={.status.phase}=Running', 'pod/solo', '--timeout=30s')).toMatch(/condition met/);
      expect(await attempt('wait', '--for=jsonpath={.status.phase}=Failed', 'pod/solo', '--timeout=1s')).toMatch(/timed out/);
    },
  },
  {
    command: 'wait --for=create',
    does: 'ends when the object is there',
    since: '1.33',
    check: async ({ run }) => {
      const waiting = run('wait', '--for=create', 'configmap/late', '--timeout=30s');
      await run('create', 'configmap', 'late');
      expect(await waiting).toMatch(/condition met/);
    },
  },
  {
    command: 'wait --for=delete',
    does: 'ends when the object is gone',
    check: async ({ run, attempt }) => {
      await run('create', 'configmap', 'leaving');
      expect(await attempt('wait', '--for=delete', 'configmap/leaving', '--timeout=1s')).toMatch(/timed out/);
      const waiting = run('wait', '--for=delete', 'configmap/leaving', '--timeout=30s');
      await run('delete', 'configmap', 'leaving');
      await waiting;
    },
  },
  ...(['background', 'foreground', 'orphan'] as const).map(
    (cascade): Row => ({
      command: `delete deployment NAME --cascade=${cascade}`,
      does: cascade === 'orphan' ? 'the ReplicaSet stays, without its owner' : 'the ReplicaSet goes too',
      check: async (bench) => {
        const name = `gone-${cascade}`;
        await deployment(bench, name, 0);
        const sets = () => bench.run('get', 'replicasets', '-l', `app=${name}`, '-o', 'jsonpath={.items[*].metadata}');
        await eventually('the replica set', async () => ((await sets()) === '' ? undefined : true));
        expect(await bench.run('delete', 'deployment', name, `--cascade=${cascade}`, '--timeout=30s')).toMatch(/deleted/);
        if (cascade === 'foreground') expect(await sets()).toBe('');
        else if (cascade === 'background') await eventually('no replica set', async () => ((await sets()) === '' ? true : undefined));
        else expect(JSON.parse(await sets())).not.toHaveProperty('ownerReferences');
      },
    }),
  ),

  {
    command: 'cp FILE POD:PATH, cp POD:PATH FILE',
    does: 'the same bytes there and back',
    check: async (bench) => {
      const [there, back] = [join(bench.folder, 'there'), join(bench.folder, 'back')];
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));
      writeFileSync(there, bytes);
      await bench.run('cp', there, 'solo:/tmp/copied');
      await bench.run('cp', 'solo:/tmp/copied', back);
      expect(readFileSync(back).equals(bytes)).toBe(true);
    },
  },
  {
    command: 'attach -i POD',
    does: 'what is typed reaches the process, what it prints comes back',
    check: async (bench) => {
      await talk(bench, ['attach', '-i', 'solo'], ['one', 'two']);
    },
  },
  {
    command: 'debug POD --image --target',
    does: "an ephemeral container that sees the target's processes",
    check: async (bench) => {
      const script = 'ps | grep httpd; exec sleep 600';
      await bench.run('debug', 'solo', `--image=${image}`, '--target=main', '--container=debugger', '--', 'sh', '-c', script);
      const status = '{.status.ephemeralContainerStatuses[0].state}';
      await bench.run('wait', `--for=jsonpath=${status.replace('state}', 'name}')}=debugger`, 'pod/solo', '--timeout=30s');
      await eventually('it runs', async () =>
        (await field(bench, 'pod/solo', status.slice(1, -1))).includes('running') ? true : undefined,
      );
      await eventually('it has looked', async () =>
        (await bench.run('logs', 'solo', '-c', 'debugger')).includes('httpd -p 8080') ? true : undefined,
      );
      expect(await bench.run('exec', 'solo', '-c', 'debugger', '--', 'cat', '/proc/1/root/www/index.html')).toBe('page\n');
    },
  },
  {
    command: 'debug -i POD --image',
    does: 'is attached to what it started',
    check: async (bench) => {
      const script = 'while read -r line; do echo "said $line"; done';
      await talk(bench, ['debug', '-i', 'solo', `--image=${image}`, '--container=talker', '--', 'sh', '-c', script], ['three']);
    },
  },
  {
    command: 'debug POD --copy-to=NAME --share-processes',
    does: 'a copy of the pod with one more container',
    check: async (bench) => {
      await bench.run(
        'debug',
        'solo',
        `--image=${image}`,
        '--copy-to=copied',
        '--share-processes',
        '--container=more',
        '--',
        'sleep',
        '600',
      );
      await bench.run('wait', '--for=condition=Ready', 'pod/copied', '--timeout=60s');
      expect(await field(bench, 'pod/copied', '.spec.containers[*].name')).toBe('main more');
      await bench.run('delete', 'pod', 'copied', '--grace-period=1', '--wait=false');
    },
  },
  {
    command: 'debug node/NAME --image',
    does: "a pod on the node that sees the node's files",
    check: async (bench) => {
      const output = await bench.run('debug', `node/${bench.node}`, `--image=${image}`, '--', 'ls', '/host/proc/1');
      const name = /pod (\S+) with/.exec(output)?.[1] ?? '';
      await bench.run('wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=60s');
      expect(await bench.run('logs', name)).toMatch(/^cmdline$/m);
      await bench.run('delete', 'pod', name, '--wait=false');
    },
  },
  {
    command: 'port-forward POD :PORT',
    does: 'a local port that reaches the pod',
    check: async (bench) => {
      await during(bench, ['port-forward', 'pod/solo', ':8080'], /127\.0\.0\.1:(\d+)/, async ([, port]) => {
        for (let time = 0; time < 3; time++) expect(await text(`http://127.0.0.1:${port}/`)).toBe('page\n');
      });
    },
  },
  {
    command: 'proxy --port=0',
    does: 'the API on a local port',
    check: async (bench) => {
      await during(bench, ['proxy', '--port=0'], /127\.0\.0\.1:(\d+)/, async ([, port]) => {
        expect(await text(`http://127.0.0.1:${port}/api/v1/namespaces/${bench.namespace}/pods/solo`)).toMatch(/"name":"solo"/);
      });
    },
  },

  {
    command: 'taint node NAME KEY=VALUE:EFFECT, KEY-',
    does: 'adds and removes a taint',
    alone: true,
    check: async (bench) => {
      await bench.run('taint', 'node', bench.node, 'test=yes:PreferNoSchedule');
      expect(await field(bench, `node/${bench.node}`, '.spec.taints[0].effect')).toBe('PreferNoSchedule');
      await bench.run('taint', 'node', bench.node, 'test-');
      expect(await field(bench, `node/${bench.node}`, '.spec.taints')).toBe('');
    },
  },
  {
    command: 'cordon, uncordon',
    does: 'no new pods on the node, and again',
    alone: true,
    check: async (bench) => {
      expect(await bench.run('cordon', bench.node)).toMatch(/cordoned/);
      expect(await bench.run('get', 'node', bench.node)).toMatch(/Ready,SchedulingDisabled/);
      expect(await bench.run('uncordon', bench.node)).toMatch(/uncordoned/);
      expect(await bench.run('get', 'node', bench.node)).not.toMatch(/SchedulingDisabled/);
    },
  },
  {
    command: 'drain NODE',
    does: 'evicts the pods; their deployment waits for a node',
    alone: true,
    check: async (bench) => {
      await deployment(bench, 'drained');
      try {
        const output = await bench.run(
          'drain',
          bench.node,
          '--ignore-daemonsets',
          '--delete-emptydir-data',
          '--grace-period=1',
          '--pod-selector=app=drained',
          '--timeout=60s',
        );
        expect(output).toMatch(/evicted[\s\S]*drained/);
        await eventually('a pod without a node', async () =>
          (await bench.run('get', 'pods', '-l', 'app=drained')).includes('Pending') ? true : undefined,
        );
      } finally {
        await bench.run('uncordon', bench.node);
      }
      await bench.run('rollout', 'status', 'deployment/drained', '--timeout=60s');
    },
  },
];

/** From a kubeconfig's user: inline, or the file that it names. */
function pem(user: Readonly<Record<string, string>>, name: string): Buffer {
  const inline = user[`${name}-data`];
  return inline === undefined ? readFileSync(user[name] ?? '') : Buffer.from(inline, 'base64');
}
