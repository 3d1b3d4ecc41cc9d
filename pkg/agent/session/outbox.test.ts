import { describe, expect, test } from '@jest/globals';
import type { PodReport } from '../node-context.ts';
import { Outbox } from './outbox.ts';

const report = (uid: string, phase: string, stopped = false): PodReport => ({
  namespace: 'default',
  name: uid,
  uid,
  status: { phase },
  stopped,
});

describe('the outbox', () => {
  test('sends of each pod the newest, one batch at a time, and again what was not acknowledged', () => {
    const outbox = new Outbox();
    outbox.report(report('a', 'Pending'));
    outbox.report(report('a', 'Running'));
    const first = outbox.take();
    expect(first?.pods.map(({ status }) => status.phase)).toEqual(['Running']);
    expect(outbox.take()).toBeUndefined();
    outbox.reset();
    const again = outbox.take();
    expect(again?.pods).toEqual(first?.pods);
    outbox.acknowledge(first!.sequence, []);
    expect(outbox.isEmpty).toBe(false);
    outbox.acknowledge(again!.sequence, []);
    expect(outbox.isEmpty).toBe(true);
  });

  test('keeps what changed while a batch was under way', () => {
    const outbox = new Outbox();
    outbox.report(report('a', 'Pending'));
    const batch = outbox.take()!;
    outbox.report(report('a', 'Running'));
    outbox.acknowledge(batch.sequence, []);
    expect(outbox.take()?.pods.map(({ status }) => status.phase)).toEqual(['Running']);
  });

  test('does not unsay that a pod is gone, and does not speak again of one that the server does not know', () => {
    const outbox = new Outbox();
    outbox.report(report('a', 'Failed', true));
    outbox.report(report('a', 'Running'));
    const batch = outbox.take()!;
    expect(batch.pods[0]).toMatchObject({ stopped: true });
    outbox.report(report('a', 'Failed', true));
    outbox.acknowledge(batch.sequence, ['a']);
    expect(outbox.isEmpty).toBe(true);
  });

  test('counts an event instead of repeating it', () => {
    const outbox = new Outbox();
    const event = {
      involvedObject: { uid: 'a' },
      type: 'Warning' as const,
      reason: 'BackOff',
      message: 'm',
      firstTime: 1,
      lastTime: 1,
      count: 1,
    };
    outbox.event(event);
    outbox.event({ ...event, lastTime: 2, count: 2 });
    expect(outbox.take()?.events).toEqual([{ ...event, lastTime: 2, count: 2 }]);
  });
});
