import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Counter, Registry } from 'prom-client';
import { silentLogger } from '#base/logging';
import { createWebListener } from './web-listener.ts';

const stop: AbortController[] = [];
const ends: Promise<void>[] = [];
afterEach(async () => {
  for (const controller of stop.splice(0)) controller.abort();
  await Promise.all(ends.splice(0));
});

async function listen(ready: () => Promise<void> = async () => undefined): Promise<string> {
  const registry = new Registry();
  new Counter({ name: 'things_total', help: 'Things.', registers: [registry] }).inc(3);
  const controller = new AbortController();
  stop.push(controller);
  const port = await new Promise<number>((resolve) => {
    const options = { port: 0, registry, ready, url: 'https://127.0.0.1:6443', version: '1.2.3', log: silentLogger };
    ends.push(createWebListener(options, resolve).run(controller.signal));
  });
  return `http://127.0.0.1:${port}`;
}

test('shows metrics, health and what runs, to this machine', async () => {
  const base = await listen();
  expect(await (await fetch(`${base}/metrics`)).text()).toContain('things_total 3');
  expect(await (await fetch(`${base}/readyz`)).text()).toBe('ok');
  expect(await (await fetch(base)).text()).toContain('Berth 1.2.3');
  expect((await fetch(`${base}/api`)).status).toBe(404);
});

test('says why the server is not ready', async () => {
  const base = await listen(() => Promise.reject(new Error('the disk is full')));
  const reply = await fetch(`${base}/readyz`);
  expect([reply.status, await reply.text()]).toEqual([500, 'the disk is full\n']);
});

test('is not read through another name', async () => {
  const base = await listen();
  const { request } = await import('node:http');
  const code = await new Promise<number | undefined>((resolve) => {
    request(`${base}/metrics`, { headers: { host: 'evil.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end();
  });
  expect(code).toBe(403);
});

test('goes without its port when that is taken', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const controller = new AbortController();
  const options = { port, registry: new Registry(), ready: async () => undefined, url: '', version: '', log: silentLogger };
  const running = createWebListener(options).run(controller.signal);
  controller.abort();
  await running;
  await new Promise((resolve) => other.close(resolve));
});
