import { describe, expect, test } from '@jest/globals';
import type { Container, Probe } from '#api/shapes/types/core-v1';
import { ManualClock } from '#base/manual-clock';
import { FakeRuntime } from '../runtime/fake/fake-runtime.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import type { ProbeAction } from './probe-action.ts';
import { type Prober, startProber } from './prober.ts';

const clock = new ManualClock();

/** `answers`: by the first word of the command. */
function probe(
  container: Partial<Container>,
  answers: Record<string, boolean | 'unreachable'>,
  known?: { started: boolean; ready: boolean },
): { prober: Prober; asked: string[] } {
  const asked: string[] = [];
  const action: ProbeAction = {
    name: 'exec',
    run: async ({ exec }) => {
      const name = exec?.command?.[0] ?? '';
      asked.push(name);
      const answer = answers[name] ?? true;
      if (answer === 'unreachable') throw new RuntimeError('Unavailable', 'the runtime does not answer');
      return { success: answer, message: '' };
    },
  };
  const prober = startProber({
    actions: [action],
    target: { runtime: new FakeRuntime({ clock }), container: { name: 'main', image: 'i', ...container }, containerId: 'c', address: '' },
    clock,
    startedAt: clock.now(),
    known,
    onChange: () => undefined,
    onResult: () => undefined,
  });
  return { prober, asked };
}

const of = (command: string, more: Partial<Probe> = {}): Probe => ({ exec: { command: [command] }, periodSeconds: 1, ...more });

describe('probes', () => {
  test('without any, a container is started and ready as soon as it runs', () => {
    expect(probe({}, {}).prober.state).toEqual({ started: true, ready: true, fatal: undefined });
  });

  test('the others begin when the startup probe has succeeded', async () => {
    const answers = { up: false };
    const { prober, asked } = probe({ startupProbe: of('up', { failureThreshold: 30 }), livenessProbe: of('alive') }, answers);
    await clock.advance(5000);
    expect(new Set(asked)).toEqual(new Set(['up']));
    expect(prober.state).toMatchObject({ started: false, ready: false });
    answers.up = true;
    await clock.advance(2000);
    expect(prober.state).toMatchObject({ started: true, ready: true });
    expect(asked).toContain('alive');
    prober.stop();
  });

  test('a runtime that does not answer says nothing of the container', async () => {
    const answers: Record<string, boolean | 'unreachable'> = { ok: true, alive: true };
    const { prober } = probe(
      { readinessProbe: of('ok', { failureThreshold: 1 }), livenessProbe: of('alive', { failureThreshold: 2 }) },
      answers,
    );
    await clock.advance(2000);
    answers.ok = answers.alive = 'unreachable';
    await clock.advance(10_000);
    expect(prober.state).toEqual({ started: true, ready: true, fatal: undefined });
    answers.ok = answers.alive = false;
    await clock.advance(2000);
    expect(prober.state).toMatchObject({ ready: false, fatal: expect.anything() });
    prober.stop();
  });

  test('thresholds count in a row, and delays from the start', async () => {
    const answers = { ok: false };
    const { prober, asked } = probe(
      { readinessProbe: of('ok', { initialDelaySeconds: 10, successThreshold: 2, failureThreshold: 2 }) },
      answers,
    );
    await clock.advance(9900);
    expect(asked).toEqual([]);
    await clock.advance(2000);
    answers.ok = true;
    await clock.advance(1000);
    expect(prober.state.ready).toBe(false);
    await clock.advance(1000);
    expect(prober.state.ready).toBe(true);
    answers.ok = false;
    await clock.advance(1000);
    expect(prober.state.ready).toBe(true);
    await clock.advance(1000);
    expect(prober.state.ready).toBe(false);
    prober.stop();
  });

  test('a liveness probe that has failed is fatal, with the grace that it asks for, and asks no more', async () => {
    const { prober, asked } = probe(
      { livenessProbe: of('alive', { failureThreshold: 3, terminationGracePeriodSeconds: 5 }) },
      { alive: false },
    );
    await clock.advance(10_000);
    expect(asked).toHaveLength(3);
    expect(prober.state.fatal).toEqual({ message: 'Container main failed liveness probe, will be restarted', graceSeconds: 5 });
  });

  test('what was ready stays ready over a restart of the agent, until a probe says otherwise', async () => {
    const { prober } = probe(
      { readinessProbe: of('ok', { failureThreshold: 1, initialDelaySeconds: 5 }) },
      { ok: false },
      { started: true, ready: true },
    );
    expect(prober.state.ready).toBe(true);
    await clock.advance(6000);
    expect(prober.state.ready).toBe(false);
    prober.stop();
  });
});
