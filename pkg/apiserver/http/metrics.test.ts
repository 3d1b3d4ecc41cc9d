import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { ApiMetrics } from './metrics.ts';

const labels = { verb: 'GET', group: '', version: 'v1', resource: 'pods', subresource: '', scope: 'resource', dryRun: false };
const shown = 'verb="GET",dry_run="",group="",version="v1",resource="pods",subresource="",scope="resource",component="apiserver"';

test('requests are counted by code, and their durations in cumulative buckets; those without a duration are no sample', async () => {
  const registry = new Registry();
  const metrics = new ApiMetrics(registry);
  const end = metrics.begin(false);
  for (const seconds of [0.004, 0.005, 0.03, 61]) metrics.finished(labels, 200, seconds);
  metrics.finished(labels, 404, 0.001);
  metrics.finished({ ...labels, verb: 'WATCH' }, 200, undefined);
  const lines = (await registry.metrics()).split('\n');
  const figureOf = (name: string, among: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`${name}{`) && among.split(',').every((label) => line.includes(label)))
      ?.split(' ')
      .at(-1);
  expect(figureOf('apiserver_request_total', `${shown},code="200"`)).toBe('4');
  expect(figureOf('apiserver_request_total', `${shown},code="404"`)).toBe('1');
  expect(figureOf('apiserver_request_total', 'verb="WATCH"')).toBe('1');
  const bucket = (bound: string): string | undefined => figureOf('apiserver_request_duration_seconds_bucket', `${shown},le="${bound}"`);
  expect([bucket('0.005'), bucket('0.025'), bucket('0.05'), bucket('60'), bucket('+Inf')]).toEqual(['3', '3', '4', '4', '5']);
  expect(Number(figureOf('apiserver_request_duration_seconds_sum', shown))).toBeCloseTo(61.04);
  expect(figureOf('apiserver_request_duration_seconds_count', shown)).toBe('5');
  expect(figureOf('apiserver_request_duration_seconds_count', 'verb="WATCH"')).toBeUndefined();
  expect(figureOf('apiserver_current_inflight_requests', 'request_kind="readOnly"')).toBe('1');
  end();
  expect(await registry.metrics()).toContain('apiserver_current_inflight_requests{request_kind="readOnly"} 0');
  expect((await registry.getMetricsAsJSON()).map(({ name }) => name)).toContain('apiserver_request_duration_seconds');
});
