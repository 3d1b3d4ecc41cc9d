/** Revisions of what runs pods: what they were, and back to them. */
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import { deployment, field, file, image, type Row } from './bench.ts';

/** A daemon set's words, and a stateful set's. */
const rolledOut = /successfully rolled out|roll out complete|rolling update complete/;

export const rolloutRows: readonly Row[] = [
  {
    command: 'rollout history, --revision=N, undo --to-revision=N',
    does: 'the revisions, and the pod template of one; back to it',
    check: async (bench) => {
      const name = await deployment(bench, 'storied', 0);
      await bench.run('annotate', name, 'kubernetes.io/change-cause=first words');
      await bench.run('set', 'env', name, 'A=B');
      await eventually('the second revision', async () => (/^2 /m.test(await bench.run('rollout', 'history', name)) ? true : undefined));
      expect(await bench.run('rollout', 'history', name, '--revision=1')).toMatch(/revision #1[\s\S]*Image:\s+berth\.local\/hello:1/);
      expect(await bench.run('rollout', 'history', name, '--revision=2')).toMatch(/A:\s+B/);
      expect(await bench.run('rollout', 'undo', name, '--to-revision=1')).toMatch(/rolled back/);
      expect(await field(bench, name, '.spec.template.spec.containers[0].env')).toBe('');
      expect(await bench.attempt('rollout', 'undo', name, '--to-revision=9')).toMatch(/unable to find specified revision 9/);
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
  ...(['DaemonSet', 'StatefulSet'] as const).map(
    (kind): Row => ({
      command: `rollout status|history|undo|restart ${kind.toLowerCase()}/NAME`,
      does: 'each change is a revision; undo goes back to one; restart makes the pods anew',
      check: async (bench) => {
        const { run, attempt } = bench;
        const name = `${kind.toLowerCase()}/rolled`;
        const labels = { rolled: kind };
        const container = { name: 'main', image, command: ['sleep', '3600'] };
        const content = {
          apiVersion: 'apps/v1',
          kind,
          metadata: { name: 'rolled' },
          spec: {
            ...(kind === 'StatefulSet' ? { replicas: 1, serviceName: 'rolled' } : {}),
            selector: { matchLabels: labels },
            template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } },
          },
        };
        await run('create', '-f', file(bench, `rolled-${kind}`, content));
        expect(await run('rollout', 'status', name, '--timeout=60s')).toMatch(rolledOut);
        const uid = await run('get', 'pods', '-l', `rolled=${kind}`, '-o', 'jsonpath={.items[0].metadata.uid}');
        await run('set', 'env', name, 'A=B');
        await eventually('the second revision', async () => (/^2 /m.test(await run('rollout', 'history', name)) ? true : undefined));
        expect(await run('rollout', 'history', name, '--revision=2')).toMatch(/A:\s+B/);
        expect(await run('rollout', 'undo', name)).toMatch(/rolled back/);
        await eventually('the third revision', async () => (/^3 /m.test(await run('rollout', 'history', name)) ? true : undefined));
        expect(await field(bench, name, '.spec.template.spec.containers[0].env')).toBe('');
        expect(await run('rollout', 'restart', name)).toMatch(/restarted/);
        expect(await run('rollout', 'status', name, '--timeout=60s')).toMatch(rolledOut);
        const [made = '', restarted = ''] = (
          await run('get', 'pods', '-l', `rolled=${kind}`, '-o', `jsonpath={.items[0].metadata.uid} {.items[0].metadata.annotations}`)
        ).split(' ');
        expect(made).not.toBe(uid);
        expect(restarted).toContain('kubectl.kubernetes.io/restartedAt');
        expect(await attempt('rollout', 'pause', name)).toMatch(/pausing is not supported/);
        await run('delete', name, '--wait=false');
      },
    }),
  ),
];
