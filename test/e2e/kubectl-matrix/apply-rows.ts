/** Manifests, and the small changes of every day. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { type Bench, configMap, deployment, field, file, type Row } from './bench.ts';

export const applyRows: readonly Row[] = [
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
    command: 'apply -R -f DIR --dry-run=server, diff -f DIR',
    does: 'says what would be, and changes nothing',
    check: async (bench) => {
      const folder = directory(bench, 'planned', { 'inner.json': configMap('planned', '1') });
      expect(await bench.run('apply', '-R', '-f', folder, '--dry-run=server')).toBe('configmap/planned created (server dry run)\n');
      expect(await bench.kubectl.run(['-n', bench.namespace, 'diff', '-f', folder])).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^\+\s+key: "1"$/m),
      });
      expect(await bench.attempt('get', 'configmap', 'planned')).toMatch(/not found/);
    },
  },
  {
    command: 'apply view-last-applied, apply set-last-applied',
    does: 'what was applied last',
    check: async (bench) => {
      await bench.run('apply', '-f', file(bench, 'remembered', configMap('remembered', 'one')));
      expect(await bench.run('apply', 'view-last-applied', 'configmap/remembered')).toMatch(/key: one/);
      await bench.run('apply', 'set-last-applied', '-f', file(bench, 'rewritten', configMap('remembered', 'two')));
      expect(await bench.run('apply', 'view-last-applied', 'configmap/remembered', '-o', 'json')).toMatch(/"key": "two"/);
    },
  },
  {
    command: 'kustomize DIR, apply -k DIR',
    does: 'the built manifests; applies them',
    check: async (bench) => {
      const folder = directory(bench, 'kustomization', { 'map.json': configMap('map', 'k') });
      writeFileSync(join(folder, 'kustomization.yaml'), 'namePrefix: built-\nresources: [map.json]\n');
      expect(await bench.run('kustomize', folder)).toMatch(/name: built-map/);
      expect(await bench.run('apply', '-k', folder)).toMatch(/configmap\/built-map created/);
      expect(await bench.run('delete', '-k', folder)).toMatch(/"built-map" deleted/);
    },
  },
  {
    command: 'create --raw, replace --raw, delete --raw',
    does: 'the request as it is',
    check: async (bench) => {
      const all = `/api/v1/namespaces/${bench.namespace}/configmaps`;
      expect(await bench.run('create', '--raw', all, '-f', file(bench, 'raw', configMap('raw', '1')))).toMatch(/"name": ?"raw"/);
      expect(await bench.run('replace', '--raw', `${all}/raw`, '-f', file(bench, 'raw', configMap('raw', '2')))).toMatch(/"key": ?"2"/);
      expect(await bench.run('delete', '--raw', `${all}/raw`)).toMatch(/"status": ?"Success"/);
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
    command: 'label, label --overwrite, --list, KEY-',
    does: 'adds, changes, shows and removes a label',
    check: async (bench) => {
      await bench.run('create', 'configmap', 'labeled');
      expect(await bench.run('label', 'configmap', 'labeled', 'color=blue')).toMatch(/labeled/);
      expect(await bench.attempt('label', 'configmap', 'labeled', 'color=red')).toMatch(/--overwrite is false/);
      await bench.run('label', '--overwrite', 'configmap', 'labeled', 'color=red');
      expect(await bench.run('label', 'configmap', 'labeled', '--list')).toMatch(/color=red/);
      expect(await bench.run('get', 'configmaps', '-l', 'color in (red,green)', '-o', 'name')).toBe('configmap/labeled\n');
      expect(await bench.run('label', 'configmap', 'labeled', 'color-')).toMatch(/unlabeled/);
    },
  },
  {
    command: 'scale --current-replicas=N, scale --replicas=N',
    does: 'the new number, only from the expected one',
    check: async (bench) => {
      const name = await deployment(bench, 'scaled', 0);
      expect(await bench.attempt('scale', name, '--current-replicas=3', '--replicas=1')).toMatch(/Expected replicas to be 3, was 0/i);
      expect(await bench.run('scale', name, '--current-replicas=0', '--replicas=2')).toMatch(/scaled/);
      expect(await field(bench, name, '.spec.replicas')).toBe('2');
      await bench.run('delete', name, '--wait=false');
    },
  },
  {
    command: 'delete -l LABEL, delete --all, delete --dry-run=server',
    does: 'what is chosen goes, and nothing in a dry run',
    check: async (bench) => {
      const names = () => bench.run('get', 'configmaps', '-l', 'doomed', '-o', 'name');
      for (const name of ['one', 'two']) {
        await bench.run('apply', '-f', file(bench, `doomed-${name}`, configMap(`doomed-${name}`, '1', { doomed: name })));
      }
      expect(await bench.run('delete', 'configmaps', '-l', 'doomed', '--dry-run=server')).toMatch(
        /doomed-one" deleted.*\(server dry run\)/,
      );
      expect(await names()).toBe('configmap/doomed-one\nconfigmap/doomed-two\n');
      expect(await bench.run('delete', 'configmaps', '-l', 'doomed=one')).toMatch(/"doomed-one" deleted/);
      expect(await names()).toBe('configmap/doomed-two\n');
      await bench.run('create', 'quota', 'last', '--hard=pods=100');
      expect(await bench.run('delete', 'resourcequotas', '--all')).toMatch(/"last" deleted/);
    },
  },
];

/** A folder of the row's own with these files. */
function directory(bench: Bench, name: string, files: Readonly<Record<string, object>>): string {
  const folder = join(bench.folder, name);
  mkdirSync(folder);
  for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, path), JSON.stringify(content));
  return folder;
}
