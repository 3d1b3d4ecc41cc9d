import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '#base/clock';
import { recordOf } from '#base/process-record';
import { findProcess, recordProcess, stopProcess } from './processes.ts';

let directory: string;
let child: ChildProcess;

/** Says a word when it has set up what it does about signals. */
async function start(script: string): Promise<number> {
  child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child.pid!;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-processes-'));
});
afterEach(() => {
  child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

describe('recorded processes', () => {
  test('are found as long as they run; the record of one that ended is taken away', async () => {
    const pid = await start('echo up; exec sleep 60');
    await recordProcess(join(directory, 'run'), 'server', pid);
    expect(await findProcess(join(directory, 'run'), 'server')).toMatchObject({ pid });
    expect(await findProcess(join(directory, 'run'), 'agent')).toBeUndefined();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(await findProcess(join(directory, 'run'), 'server')).toBeUndefined();
    expect(existsSync(join(directory, 'run/server.json'))).toBe(false);
  });

  test('are not mistaken for another process that got the same id', async () => {
    const pid = await start('echo up; exec sleep 60');
    await recordProcess(directory, 'server', pid);
    const record = JSON.parse(readFileSync(join(directory, 'server.json'), 'utf8')) as Record<string, unknown>;
    const changed = Object.fromEntries(Object.entries(record).map(([key, value]) => [key, key === 'pid' ? value : `${String(value)}0`]));
    writeFileSync(join(directory, 'server.json'), JSON.stringify(changed));
    expect(await findProcess(directory, 'server')).toBeUndefined();
  });

  test('cannot be made of a process that is not there', async () => {
    const pid = await start('echo up');
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    await expect(recordProcess(directory, 'server', pid)).rejects.toThrow('ended before it could be recorded');
  });

  test('are asked to end, and killed when they do not', async () => {
    const polite = await start('trap "exit 0" TERM; echo up; while true; do sleep 0.05; done');
    const politely = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    await stopProcess(recordOf(polite)!, 10_000, systemClock);
    expect(await politely).toEqual({ code: 0, signal: null });
    const stubborn = await start('trap "" TERM; echo up; while true; do sleep 0.05; done');
    const killed = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    await stopProcess(recordOf(stubborn)!, 200, systemClock);
    expect(await killed).toEqual({ code: null, signal: 'SIGKILL' });
  });
});
