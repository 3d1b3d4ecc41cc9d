import { describe, expect, test } from '@jest/globals';
import { leases } from '#api/shapes/resources';
import { StatusError } from '#base/errors';
import { aborted } from '#base/lifecycle';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { type FencingToken, runAsLeader } from './leader-lease.ts';
import { MemoryTransport } from './memory-transport.ts';
import { createClient } from './typed-client.ts';

const lease = { namespace: 'kube-system', name: 'berth-scheduler' };

function cluster() {
  const transport = new MemoryTransport();
  const clock = new ManualClock();
  const leading = new Set<string>();
  const tokens: FencingToken[] = [];
  const stops: (() => Promise<void>)[] = [];
  const cutOff = new Set<string>();
  const hung = new Set<string>();
  return {
    clock,
    hung,
    leading,
    tokens,
    cutOff,
    client: createClient(transport),
    start(identity: string, fence?: (token: FencingToken) => Promise<boolean>): () => Promise<void> {
      const stop = new AbortController();
      const client = createClient({
        send: (request) =>
          hung.has(identity)
            ? new Promise(() => undefined)
            : cutOff.has(identity)
              ? Promise.reject(new StatusError('ServiceUnavailable', 'cut off'))
              : transport.send(request),
        watch: (request, signal) => transport.watch(request, signal),
      });
      const running = runAsLeader(
        client,
        { ...lease, identity, clock, log: silentLogger, ...(fence === undefined ? {} : { fence }) },
        async (signal, token) => {
          leading.add(identity);
          tokens.push(token);
          await aborted(signal);
          leading.delete(identity);
        },
      ).run(stop.signal);
      const end = async (): Promise<void> => {
        stop.abort();
        await running;
      };
      stops.push(end);
      return end;
    },
    async end() {
      for (const stop of stops) await stop();
    },
  };
}

describe('a leader lease', () => {
  test('has one leader of several, and the next at once when it leaves in order', async () => {
    const { clock, start, leading, tokens, end } = cluster();
    const stopA = start('a');
    await clock.advance(0);
    start('b');
    start('c');
    await clock.advance(60_000);
    expect([...leading]).toEqual(['a']);
    await stopA();
    await clock.advance(2_000);
    expect(leading.size).toBe(1);
    expect(leading.has('a')).toBe(false);
    expect(tokens.map((token) => token.transitions)).toEqual([0, 1]);
    await end();
  });

  test('never has two: a leader that is cut off stops before another begins', async () => {
    const { clock, start, leading, cutOff, end } = cluster();
    start('a');
    await clock.advance(0);
    start('b');
    await clock.advance(5_000);
    cutOff.add('a');
    const seen: string[] = [];
    for (let second = 0; second < 40; second++) {
      await clock.advance(1_000);
      expect(leading.size).toBeLessThanOrEqual(1);
      seen.push([...leading][0] ?? 'none');
    }
    expect([...new Set(seen)]).toEqual(['a', 'none', 'b']);
    cutOff.delete('a');
    await clock.advance(60_000);
    expect([...leading]).toEqual(['b']);
    await end();
  });

  test('stops in time too when the store does not answer at all', async () => {
    const { clock, start, leading, hung, end } = cluster();
    start('a');
    await clock.advance(5_000);
    expect([...leading]).toEqual(['a']);
    hung.add('a');
    await clock.advance(10_500);
    expect(leading.size).toBe(0);
    await end();
  });

  test('does not lead before former leaders are fenced off', async () => {
    const { clock, start, leading, tokens, end } = cluster();
    const asked: FencingToken[] = [];
    start('a', async (token) => {
      asked.push(token);
      if (asked.length === 1) throw new StatusError('ServiceUnavailable', 'not now');
      return asked.length > 2;
    });
    await clock.advance(1_000);
    expect(leading.size).toBe(0);
    await clock.advance(10_000);
    expect([...leading]).toEqual(['a']);
    expect(asked).toHaveLength(3);
    expect(tokens[0]?.resourceVersion).toBe(asked[2]?.resourceVersion);
    await end();
  });

  test('stops at once when another took the lease by force', async () => {
    const { clock, start, leading, client, end } = cluster();
    start('a');
    await clock.advance(3_000);
    await client.patch(leases, lease, 'merge', { spec: { holderIdentity: 'intruder' } });
    await clock.advance(2_000);
    expect(leading.size).toBe(0);
    await end();
  });

  test('takes its own lease again after a restart without waiting', async () => {
    const { clock, start, leading, client, end } = cluster();
    await client.create(leases, { metadata: lease, spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } });
    start('a');
    await clock.advance(0);
    expect([...leading]).toEqual(['a']);
    await end();
  });
});
