/** What kubectl changes, waits for and removes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import { configMap, deployment, field, file, type Row } from './bench.ts';

export const changeRows: readonly Row[] = [
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
];
