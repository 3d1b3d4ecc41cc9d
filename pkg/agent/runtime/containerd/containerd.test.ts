import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isRunning, readProcessRecord, recordOf } from '#base/process-record';
import { findProgram, searchPath } from './binaries.ts';
import { renderContainerdConfiguration } from './configuration.ts';
import { containerdLayout } from './layout.ts';

describe('where containerd keeps what', () => {
  test('all of it is under the home, but for a socket whose path would be too long', () => {
    const near = containerdLayout('/var/lib/berth');
    expect(near.socket).toBe('/var/lib/berth/containerd/containerd.sock');
    expect(near.endpoint).toBe('unix:///var/lib/berth/containerd/containerd.sock');
    const far = containerdLayout(`/srv/${'long/'.repeat(30)}`);
    expect(far.socket).toMatch(/^\/run\/berth-[0-9a-f]{12}\/containerd\.sock$/);
    expect(Buffer.byteLength(`${far.socket}.ttrpc`)).toBeLessThan(108);
    expect(far.socket).not.toBe(containerdLayout(`/srv/${'long/'.repeat(31)}`).socket);
  });

  test('a socket is moved exactly when it would not fit', () => {
    for (let length = 60; length < 110; length++) {
      const { socket } = containerdLayout(`/${'x'.repeat(length)}`);
      expect(Buffer.byteLength(`${socket}.ttrpc`)).toBeLessThanOrEqual(107);
    }
  });
});

describe('its configuration', () => {
  const options = {
    layout: containerdLayout('/srv/a "quoted" home'),
    sandboxImage: 'berth.local/pause:1',
    runc: '/usr/sbin/runc',
    cniPlugins: '/usr/lib/cni',
    snapshotter: 'overlayfs',
    restrictOomScoreAdjustment: true,
  };

  test('names our folders, our image and what this machine lacks', () => {
    const text = renderContainerdConfiguration(options);
    expect(text).toContain('sandbox_image = "berth.local/pause:1"');
    expect(text).toContain('restrict_oom_score_adj = true');
    expect(text).toContain('root = "/srv/a \\"quoted\\" home/containerd/root"');
    expect(renderContainerdConfiguration({ ...options, restrictOomScoreAdjustment: false })).toContain('restrict_oom_score_adj = false');
  });
});

describe('programs', () => {
  test('are looked for beyond a poor PATH', () => {
    expect(searchPath('/only').split(':')).toEqual(expect.arrayContaining(['/only', '/usr/sbin', '/usr/bin']));
    expect(findProgram('sh', searchPath(''))).toMatch(/\/sh$/);
    expect(findProgram('no-such-program-anywhere')).toBeUndefined();
  });
});

describe('the record of a process', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-record-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('knows it again, and no other that has its number later', async () => {
    const child = spawn('sleep', ['60']);
    const record = recordOf(child.pid ?? 0);
    if (record === undefined) throw new Error('the process is not there');
    expect(isRunning(record)).toBe(true);
    expect(isRunning({ ...record, startTime: '1' })).toBe(false);
    expect(isRunning({ ...record, bootId: 'another boot' })).toBe(false);
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(isRunning(record)).toBe(false);
    expect(recordOf(record.pid)).toBeUndefined();
  });

  test('survives being written half', () => {
    const path = join(folder, 'process.json');
    expect(readProcessRecord(path)).toBeUndefined();
    writeFileSync(path, '{"pid": 12');
    expect(readProcessRecord(path)).toBeUndefined();
    writeFileSync(path, '{"pid": 12}');
    expect(readProcessRecord(path)).toBeUndefined();
    writeFileSync(path, '{"pid": 12, "startTime": "3", "bootId": "b"}');
    expect(readProcessRecord(path)).toEqual({ pid: 12, startTime: '3', bootId: 'b' });
  });
});
