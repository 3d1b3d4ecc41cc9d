/** What kubectl sets, waits for and removes. */
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import { deployment, field, type Row } from './bench.ts';

export const changeRows: readonly Row[] = [
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
    command: 'wait --for=condition=Available|Ready, -l LABEL, --all',
    does: 'ends when all that are chosen are so',
    check: async ({ run, attempt }) => {
      expect(await run('wait', '--for=condition=Available', 'deployment/web', '--timeout=30s')).toMatch(
        /deployment\.apps\/web condition met/,
      );
      expect(await run('wait', '--for=condition=Ready', 'pods', '-l', 'app in (solo,web)', '--timeout=30s')).toMatch(
        /pod\/solo condition met\npod\/web-\S+ condition met/,
      );
      expect(await run('wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=30s')).toMatch(/condition met/);
      expect(await attempt('wait', '--for=condition=Ready', 'pod/none', '--timeout=1s')).toMatch(/pods "none" not found/);
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
];
