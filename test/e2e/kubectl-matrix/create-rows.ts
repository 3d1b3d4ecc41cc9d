/** Everything that kubectl makes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { runCommand } from '../../harness/commands.ts';
import { deployment, field, image, type Row } from './bench.ts';

export const createRows: readonly Row[] = [
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
    check: async (bench) => {
      const { run, namespace } = bench;
      expect(await run('create', 'serviceaccount', 'robot')).toMatch(/serviceaccount\/robot created/);
      expect(await run('create', 'role', 'reader', '--verb=get,list', '--resource=pods')).toMatch(/role\S*\/reader created/);
      expect(await run('create', 'rolebinding', 'readers', '--role=reader', '--user=jane')).toMatch(/rolebinding\S*\/readers created/);
      expect(JSON.parse(await field(bench, 'role/reader', '.rules'))).toEqual([
        { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
      ]);
      expect(JSON.parse(await field(bench, 'rolebinding/readers', '.subjects'))).toMatchObject([{ kind: 'User', name: 'jane' }]);
      const name = `reader-${namespace}`;
      expect(await run('create', 'clusterrole', name, '--verb=get', '--resource=nodes')).toMatch(/clusterrole\S* created/);
      expect(await run('create', 'clusterrolebinding', name, `--clusterrole=${name}`, '--user=jane')).toMatch(/created/);
      expect(await run('get', 'clusterrolebinding', name, '-o', 'wide')).toMatch(new RegExp(`ClusterRole/${name} +\\S+ +jane`));
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
      expect(await run('get', 'ingress,pdb,quota')).toMatch(/example\.com[\s\S]*steady +1 +N\/A[\s\S]*bound/);
      await run('delete', 'quota', 'bound');
      const name = `class-${namespace}`;
      expect(await run('create', 'priorityclass', name, '--value=10')).toMatch(/created/);
      await run('delete', 'priorityclass', name);
      expect(await run('create', 'namespace', name, '--dry-run=server', '-o', 'name')).toBe(`namespace/${name}\n`);
      expect(await run('create', 'namespace', name)).toBe(`namespace/${name} created\n`);
      await run('delete', 'namespace', name, '--wait=false');
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
    command: 'run NAME --rm -it --restart=Never',
    does: 'a terminal in a pod that is gone afterwards',
    check: async ({ kubectl, namespace, attempt }) => {
      const asked = "sh -c 'sleep 1; test -t 0 && echo it is a terminal'";
      const command = `${kubectl.path} -n ${namespace} run shell --image=${image} --rm -it --restart=Never --command -- ${asked}`;
      const terminal = await runCommand('script', ['-qec', command, '/dev/null'], {
        env: { ...kubectl.env, TERM: 'xterm' },
        timeout: 60_000,
      });
      expect(terminal.stdout).toContain('it is a terminal');
      expect(await attempt('get', 'pod', 'shell')).toMatch(/not found/);
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
];

/** From a kubeconfig's user: inline, or the file that it names. */
function pem(user: Readonly<Record<string, string>>, name: string): Buffer {
  const inline = user[`${name}-data`];
  return inline === undefined ? readFileSync(user[name] ?? '') : Buffer.from(inline, 'base64');
}
