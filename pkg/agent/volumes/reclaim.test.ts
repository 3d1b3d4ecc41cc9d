import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PersistentVolume } from '#api/shapes/types/core-v1';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import { type Assignments, openAssignments } from '../session/assignments.ts';
import { type Mounter, plainMounter } from './mounter.ts';
import { createVolumeReclaim } from './reclaim.ts';

let folder: string;
let assignments: Assignments;
let stop: AbortController;
let running: Promise<void>;
let revision = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volume-reclaim-'));
  assignments = await openAssignments(join(folder, 'assignments.jsonl'), silentLogger);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
  await assignments.close();
  await rm(folder, { recursive: true });
});

function start(mounter: Mounter = plainMounter): { readonly removed: string[] } {
  const removed: string[] = [];
  running = createVolumeReclaim({
    nodeName: 'here',
    assignments,
    directory: join(folder, 'volumes'),
    mounter,
    removed: ({ name, uid }) => removed.push(`${name} ${uid}`),
    clock: systemClock,
    log: silentLogger,
  }).run(stop.signal);
  return { removed };
}

function volume(name: string, changes: { phase?: string; policy?: string; node?: string } = {}): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, uid: `uid-${name}`, resourceVersion: '1', annotations: { 'pv.kubernetes.io/provisioned-by': 'berth.dev/local' } },
    spec: {
      persistentVolumeReclaimPolicy: changes.policy ?? 'Delete',
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [changes.node ?? 'here'] }] }],
        },
      },
    },
    status: { phase: changes.phase ?? 'Released' },
  };
}

async function assign(...volumes: PersistentVolume[]): Promise<void> {
  for (const { metadata } of volumes) {
    await mkdir(join(folder, 'volumes', metadata.name!), { recursive: true });
    await writeFile(join(folder, 'volumes', metadata.name!, 'data'), 'x');
  }
  const objects = volumes.map((object) => ({ resource: 'persistentvolumes', namespace: '', name: object.metadata.name!, object }));
  await assignments.offer({ incarnation: 'i', revision: ++revision, snapshot: false, objects });
}

async function until(holds: () => boolean): Promise<void> {
  for (let left = 6000; !holds() && left > 0; left--) await systemClock.sleep(10);
  expect(holds()).toBe(true);
}

describe('the data of volumes', () => {
  test('go when the claim is gone, and no others', async () => {
    const { removed } = start();
    await assign(
      volume('bound', { phase: 'Bound' }),
      volume('kept', { policy: 'Retain' }),
      volume('elsewhere', { node: 'there' }),
      volume('gone'),
    );
    await until(() => removed.length > 0);
    expect(removed).toEqual(['gone uid-gone']);
    expect(['bound', 'kept', 'elsewhere', 'gone'].filter((name) => existsSync(join(folder, 'volumes', name, 'data')))).toEqual([
      'bound',
      'kept',
      'elsewhere',
    ]);
  });

  test('that were released while the agent was down go when it is back', async () => {
    await assign(volume('gone'));
    const { removed } = start();
    await until(() => removed.length > 0);
    expect(existsSync(join(folder, 'volumes/gone'))).toBe(false);
  });

  test('stay as long as something is mounted there, for it may be another’s', async () => {
    let mounts = ['/somewhere'];
    const { removed } = start({ ...plainMounter, mountsBelow: async () => mounts });
    await assign(volume('gone'));
    expect(existsSync(join(folder, 'volumes/gone/data'))).toBe(true);
    expect(removed).toEqual([]);
    mounts = [];
    await until(() => removed.length > 0);
  });
});
