import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import tar from 'tar-stream';
import { systemClock } from '#base/clock';
import { buildImageArchive, hostArchitecture } from './image-archive.ts';
import { normalizeReference } from './load-image.ts';
import { pauseBinary } from './pause-binary.ts';
import { buildPauseImage, pauseImageReference } from './pause-image.ts';

async function entriesOf(archive: Uint8Array): Promise<Map<string, { type: string; mode: number; content: Buffer; linkname: string }>> {
  const entries = new Map<string, { type: string; mode: number; content: Buffer; linkname: string }>();
  const extract = tar.extract();
  Readable.from([archive]).pipe(extract);
  for await (const entry of extract) {
    const { name, type, mode, linkname } = entry.header;
    entries.set(name, { type: type ?? '', mode: mode ?? 0, linkname: linkname ?? '', content: await buffer(entry) });
  }
  return entries;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

describe('an image archive', () => {
  test('is an OCI layout in which every digest and size holds, the same at each build', async () => {
    const definition = {
      reference: 'berth.local/x:1',
      architecture: 'amd64',
      entries: [
        { path: '/bin/tool', content: 'tool', mode: 0o755 },
        { path: 'bin/alias', linkTo: 'tool' },
        { path: '/tmp', directory: true as const, mode: 0o1777 },
      ],
      command: ['tool'],
      environment: { PATH: '/bin' },
      user: '1000',
    };
    const archive = await buildImageArchive(definition);
    expect(Buffer.compare(archive, await buildImageArchive(definition))).toBe(0);
    const entries = await entriesOf(archive);
    const blob = ({ digest, size }: Descriptor): Buffer => {
      const content = entries.get(`blobs/sha256/${digest.slice(7)}`)?.content;
      expect(content?.length).toBe(size);
      return content ?? Buffer.alloc(0);
    };
    const index = JSON.parse(entries.get('index.json')?.content.toString() ?? '') as {
      manifests: (Descriptor & { annotations: object })[];
    };
    expect(index.manifests[0]?.annotations).toMatchObject({ 'io.containerd.image.name': 'berth.local/x:1' });
    const manifest = JSON.parse(blob(index.manifests[0]!).toString()) as { config: Descriptor; layers: Descriptor[] };
    expect(JSON.parse(blob(manifest.config).toString())).toMatchObject({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['tool'], Env: ['PATH=/bin'], User: '1000' },
    });
    const files = await entriesOf(gunzipSync(blob(manifest.layers[0]!)));
    expect([...files].map(([name, { type, mode }]) => [name, type, mode.toString(8)])).toEqual([
      ['bin/', 'directory', '755'],
      ['bin/alias', 'symlink', '777'],
      ['bin/tool', 'file', '755'],
      ['tmp/', 'directory', '1777'],
    ]);
  });

  test('refuses what lies outside of it and what is named twice', async () => {
    const build = (...paths: string[]) => buildImageArchive({ reference: 'x', entries: paths.map((path) => ({ path, content: '' })) });
    await expect(build('../etc/passwd')).rejects.toThrow('leaves the image');
    await expect(build('/a', 'a')).rejects.toThrow('named twice');
  });
});

describe('names of images', () => {
  test.each([
    ['hello', 'docker.io/library/hello:latest'],
    ['hello:2', 'docker.io/library/hello:2'],
    ['me/hello', 'docker.io/me/hello:latest'],
    ['berth.local/hello:1', 'berth.local/hello:1'],
    ['localhost/x', 'localhost/x:latest'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
    ['r.example/x@sha256:abc', 'r.example/x@sha256:abc'],
  ])('%s is %s', (short, full) => expect(normalizeReference(short)).toBe(full));
});

describe('the pause image', () => {
  test('is made for both architectures, and refused for others by name', async () => {
    for (const architecture of ['amd64', 'arm64'] as const) {
      const binary = pauseBinary(architecture);
      expect(Buffer.from(binary.subarray(0, 4)).toString('latin1')).toBe('\x7fELF');
      expect(binary.length).toBeLessThan(400);
      expect(await buildPauseImage(architecture)).toBeDefined();
    }
    expect(() => buildPauseImage('riscv64')).toThrow('riscv64');
    expect(pauseImageReference).toBe('berth.local/pause:1');
  });

  describe('its program', () => {
    let folder: string;

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'berth-pause-'));
    });

    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    const architecture = hostArchitecture();
    const runs = process.platform === 'linux' && (architecture === 'amd64' || architecture === 'arm64');

    (runs ? test.each(['SIGTERM', 'SIGINT'] as const) : test.skip.each(['SIGTERM', 'SIGINT'] as const))(
      'runs until %s, and ends with 0',
      async (signal) => {
        const path = join(folder, 'pause');
        writeFileSync(path, pauseBinary(architecture as 'amd64' | 'arm64'), { mode: 0o755 });
        const child = spawn(path, { stdio: 'ignore' });
        const ended = new Promise((resolve) => child.on('close', (code, by) => resolve([code, by])));
        await new Promise((resolve) => child.on('spawn', resolve));
        // A signal that comes before the program has blocked it would end it by its default.
        await waits(child.pid ?? 0);
        child.kill('SIGCHLD');
        child.kill(signal);
        expect(await ended).toEqual([0, null]);
      },
    );
  });
});

/** Until it waits for signals: then they are blocked. */
async function waits(pid: number): Promise<void> {
  for (let attempt = 0; attempt < 12_000; attempt++) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (/^Name:\s*pause$/m.test(status) && /^State:\s*S/m.test(status)) return;
    await systemClock.sleep(5);
  }
  throw new Error('the program does not wait');
}
