/** What is everyone's: nodes. */
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import { deployment, field, type Row } from './bench.ts';

export const nodeRows: readonly Row[] = [
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
    does: 'evicts the pods; their deployment makes others',
    // All at once: each drains its own pods, and all wait for the last one's uncordon.
    check: async (bench) => {
      await deployment(bench, 'drained');
      const pods = () => bench.run('get', 'pods', '-l', 'app=drained', '-o', 'name');
      const before = (await pods()).trim();
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
        await eventually('another pod', async () => ((await pods()).replace(`${before}\n`, '') === '' ? undefined : true));
      } finally {
        await bench.run('uncordon', bench.node);
      }
      await bench.run('rollout', 'status', 'deployment/drained', '--timeout=60s');
      expect(await pods()).not.toContain(before);
    },
  },
  {
    command: 'drain NODE (with a PodDisruptionBudget)',
    does: 'waits for as long as the budget holds it back, then goes on',
    // All at once, too.
    check: async (bench) => {
      await deployment(bench, 'guarded');
      await bench.run('create', 'poddisruptionbudget', 'guard', '--selector=app=guarded', '--min-available=1');
      await eventually('the budget knows its pods', async () =>
        (await field(bench, 'pdb/guard', '.status.currentHealthy')) === '1' ? true : undefined,
      );
      const before = await bench.run('get', 'pods', '-l', 'app=guarded', '-o', 'name');
      const args = ['drain', bench.node, '--ignore-daemonsets', '--grace-period=1', '--pod-selector=app=guarded', '--timeout=60s'];
      try {
        let output = '';
        let released: Promise<string> | undefined;
        const { code } = await bench.kubectl.run(['-n', bench.namespace, ...args], {
          timeout: 90_000,
          onStart: (child) => {
            const onData = (chunk: Buffer): void => {
              output += chunk.toString('utf8');
              if (released !== undefined || !output.includes("Cannot evict pod as it would violate the pod's disruption budget")) return;
              released = bench.run('delete', 'pdb', 'guard');
              released.catch(() => undefined);
            };
            for (const stream of [child.stdout, child.stderr]) stream?.on('data', onData);
          },
        });
        await released;
        expect({ code, output }).toMatchObject({
          code: 0,
          output: expect.stringMatching(/will retry after 5s[\s\S]*evicted[\s\S]*drained/),
        });
      } finally {
        await bench.run('uncordon', bench.node);
      }
      expect(await bench.run('get', 'pods', '-l', 'app=guarded', '-o', 'name')).not.toContain(before.trim());
      await bench.run('delete', 'deployment', 'guarded', '--wait=false');
    },
  },
];
