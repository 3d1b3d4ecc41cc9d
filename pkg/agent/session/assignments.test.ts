import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { silentLogger } from '#base/logging';
import { type AssignedObject, type AssignmentChange, type Assignments, openAssignments } from './assignments.ts';

let folder: string;
let path: string;
let assignments: Assignments;
const opened: Assignments[] = [];
const store = { era: 'era-1', diverged: false, restoredEra: '' };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-assignments-'));
  path = join(folder, 'assignments.jsonl');
  assignments = await open();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(): Promise<Assignments> {
  const one = await openAssignments(path, silentLogger);
  opened.push(one);
  one.welcome(store);
  return one;
}

function entry(resource: string, name: string, version = 1, text = ''): AssignedObject {
  const object = {
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name, namespace: 'default', uid: `${resource}-${name}`, resourceVersion: String(version) },
    text,
  };
  return { resource, namespace: 'default', name, object };
}

const gone = (resource: string, name: string): AssignedObject => ({ ...entry(resource, name), object: undefined });
const change = (revision: number, objects: AssignedObject[], more: Partial<AssignmentChange> = {}): AssignmentChange => ({
  incarnation: 'store',
  revision,
  snapshot: false,
  objects,
  ...more,
});
const names = (resource: string): unknown[] => assignments.list(resource).map(({ metadata }) => metadata.name);

describe('assignments', () => {
  test('are on disk before they are told, and are there again after a crash', async () => {
    const told: string[] = [];
    assignments.onChange((changed) => told.push(changed.map(({ name, object }) => `${object === undefined ? '-' : '+'}${name}`).join()));
    expect(await assignments.offer(change(5, [entry('pods', 'a'), entry('pods', 'b')], { snapshot: true }))).toEqual({ accepted: true });
    await assignments.offer(change(6, [gone('pods', 'a'), entry('pods', 'c')]));
    expect(told).toEqual(['+a,+b', '-a,+c']);
    // No close: as after kill -9.
    assignments = await open();
    expect(names('pods')).toEqual(['b', 'c']);
    expect(assignments.held).toEqual({ incarnation: 'store', era: 'era-1', revision: 6, restoredEra: '' });
  });

  test('a snapshot takes away what it does not have, and tells only what differs', async () => {
    await assignments.offer(change(5, [entry('pods', 'a'), entry('pods', 'b')], { snapshot: true }));
    const told: string[] = [];
    assignments.onChange((changed) => told.push(...changed.map(({ name }) => name)));
    await assignments.offer(change(7, [entry('pods', 'b'), entry('pods', 'd')], { snapshot: true }));
    expect(told.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['a', 'd']);
    expect(names('pods')).toEqual(['b', 'd']);
  });

  test('older ones, those of another store, and those of an older copy are refused, and change nothing', async () => {
    await assignments.offer(change(5, [entry('pods', 'a')], { snapshot: true }));
    expect(await assignments.offer(change(4, [], { snapshot: true }))).toMatchObject({
      accepted: false,
      reason: expect.stringContaining('older than 5'),
    });
    expect(await assignments.offer(change(9, [], { snapshot: true, incarnation: 'other' }))).toMatchObject({
      reason: expect.stringContaining('--forget-assignments'),
    });
    assignments.welcome({ ...store, era: 'era-2', diverged: true });
    expect(await assignments.offer(change(900, [], { snapshot: true }))).toMatchObject({
      reason: expect.stringContaining('an older copy'),
    });
    expect(names('pods')).toEqual(['a']);
    assignments.welcome({ era: 'era-3', diverged: true, restoredEra: 'era-3' });
    expect(await assignments.offer(change(3, [], { snapshot: true }))).toEqual({ accepted: true });
    expect(names('pods')).toEqual([]);
  });

  test('a secret that is no longer assigned is no longer on disk, and nobody else may read the file', async () => {
    await assignments.offer(change(5, [entry('pods', 'a'), entry('secrets', 's', 1, 'hunter2')], { snapshot: true }));
    expect(await readFile(path, 'utf8')).toContain('hunter2');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await assignments.offer(change(6, [entry('secrets', 's', 2, 'changed')]));
    expect(await readFile(path, 'utf8')).not.toContain('hunter2');
    await assignments.offer(change(7, [gone('secrets', 's')]));
    expect(await readFile(path, 'utf8')).not.toContain('changed');
  });

  test('a last line that was cut off is passed over; damage elsewhere is an error, for an empty start would stop all', async () => {
    await assignments.offer(change(5, [entry('pods', 'a')], { snapshot: true }));
    await appendFile(path, '{"incarnation":"store","revi');
    assignments = await open();
    expect(names('pods')).toEqual(['a']);
    await writeFile(path, 'nonsense\n{}\n');
    await expect(open()).rejects.toThrow('is damaged');
  });
});
