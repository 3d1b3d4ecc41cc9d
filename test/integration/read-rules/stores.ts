/** The stores on which the rules of reading are tested, and how a refusal is judged. */
import { expect } from '@jest/globals';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import type { Backend } from '#storage/backend';
import { openEtcd } from '#storage/etcd/etcd-backend';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { missingForEtcd, startTestEtcd } from '../../harness/etcd.ts';
import type { Body } from './face.ts';
import type { Refusal } from './list-rows.ts';

interface OpenStore {
  readonly backend: Backend;
  /** To be called when the backend is closed. */
  close(): Promise<void>;
}

const memory = (): Promise<OpenStore> => Promise.resolve({ backend: new MemoryBackend(), close: () => Promise.resolve() });

async function etcd(): Promise<OpenStore> {
  const running = await startTestEtcd();
  const backend = await openEtcd({ endpoints: running.endpoints, clock: systemClock, log: silentLogger });
  return { backend, close: () => running.stop() };
}

/** An embedded store, and real etcd where it is installed. */
export const readStores: readonly (readonly [name: string, open: () => Promise<OpenStore>])[] =
  missingForEtcd() === undefined
    ? [
        ['memory', memory],
        ['etcd', etcd],
      ]
    : [['memory', memory]];

/** Whether a Status, with the HTTP status that it came with, is the refusal that the table wants. */
export function judgeRefusal(text: string, status: number, [code, reason, message]: Refusal): void {
  const told = JSON.parse(text) as Body;
  expect(told).toMatchObject({ status: 'Failure', kind: 'Status', apiVersion: 'v1', code, reason });
  expect(status).toBe(code);
  if (typeof message === 'string') expect(told.message).toBe(message);
  else expect(told.message).toMatch(message);
  if (code !== 504) return;
  expect(told.details).toEqual({
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}
