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
