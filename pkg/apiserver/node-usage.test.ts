import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { StatusError } from '#base/errors';
import { ManualClock } from '#base/manual-clock';
import type { NodeConnector } from '#client/node-connector';
import { NodeUsages, readSample, usageBetween } from './node-usage.ts';

const page = (nodeCpu: number, cpu: number, time: number): string => `# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="main",namespace="default",pod="a"} ${cpu} ${time}
container_memory_working_set_bytes{container="main",namespace="default",pod="a"} 2048 ${time}
node_cpu_usage_seconds_total ${nodeCpu}
node_memory_working_set_bytes 1e6
`;

describe('usageBetween', () => {
  test('the CPU time between two samples over the time between them, and the newer memory', () => {
    expect(usageBetween(readSample(page(10, 1, 1000), 1000), readSample(page(14, 1.5, 3000), 3000))).toEqual({
      timestamp: 3000,
      windowMilliseconds: 2000,
      cpuNanocores: 2e9,
      memoryBytes: 1e6,
      containers: [{ namespace: 'default', pod: 'a', container: 'main', cpuNanocores: 0.25e9, memoryBytes: 2048 }],
    });
  });

  test('a container that is new, or began anew, has used what its counter says since the first sample', () => {
    const fresh = usageBetween(readSample('', 1000), readSample(page(0, 0.5, 2000), 2000));
    const again = usageBetween(readSample(page(0, 9, 1000), 1000), readSample(page(0, 0.5, 2000), 2000));
    for (const { containers } of [fresh, again]) expect(containers[0]).toMatchObject({ cpuNanocores: 0.5e9 });
  });
});

describe('NodeUsages', () => {
  test('one window answers all who ask within five seconds; the next begins where it ended', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const connector: NodeConnector = { connect: async () => Readable.from([page(asked++, 0, clock.now())]) as never };
    const usages = new NodeUsages(connector, clock);
    const both = [usages.of('n'), usages.of('n')];
    while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(1000);
    for (const usage of await Promise.all(both)) expect(usage).toMatchObject({ windowMilliseconds: 1000, cpuNanocores: 1e9 });
    await usages.of('n');
    expect(asked).toBe(2);
    await clock.advance(10_000);
    expect(await usages.of('n')).toMatchObject({ windowMilliseconds: 10_000, cpuNanocores: 1e8 });
    expect(asked).toBe(3);
  });

  test('a node that cannot be reached is an error each time', async () => {
    const usages = new NodeUsages({ connect: () => Promise.reject(new StatusError('ServiceUnavailable', 'away')) }, new ManualClock());
    for (let time = 0; time < 2; time++) await expect(usages.of('n')).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  });
});
