/** Berth's own containerd: started, taken up, started again, ended; and what is loaded into it or pulled by it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { findContainerdBinaries } from '#agent/runtime/containerd/binaries';
import { Containerd } from '#agent/runtime/containerd/containerd';
import { removeContainerd } from '#agent/runtime/containerd/remove';
import { CriRuntime } from '#agent/runtime/cri/cri-runtime';
import { buildImageArchive } from '#agent/runtime/images/image-archive';
import { loadImage } from '#agent/runtime/images/load-image';
import { pauseImageReference } from '#agent/runtime/images/pause-image';
import { plainContainer, plainSandbox, plainSecurity } from '#agent/runtime/plain-configs';
import type { ContainerConfig, RuntimeEvent, SandboxConfig } from '#agent/runtime/runtime';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import { buildDemoImage } from '../../hack/demo-image.ts';
import { isInNamespace } from './in-namespace.ts';
import { busyboxImage, type PrivateContainerd, startPrivateContainerd, whyNoContainers } from './private-containerd.ts';

const reason = whyNoContainers();

if (reason !== undefined) {
  test.skip(`Berth's own containerd (${reason})`, () => undefined);
} else if (isInNamespace(import.meta.url)) {
  describe("Berth's own containerd", lifecycleTests);
  describe('images', imageTests);
}

function sandboxConfig(folder: string): SandboxConfig {
  return plainSandbox({
    pod: { namespace: 'default', name: 'survivor', uid: `survivor-${process.pid}` },
    hostname: '',
    logDirectory: join(folder, 'logs'),
    hostNetwork: true,
    shareProcessNamespace: true,
  });
}

function containerConfig(command: readonly string[], attempt = 0): ContainerConfig {
  const security = { ...plainSecurity, hostNetwork: true, shareProcessNamespace: true };
  return plainContainer({ attempt, image: busyboxImage, command, security });
}

function pidOf(containerd: Containerd): number {
  return (JSON.parse(readFileSync(containerd.layout.process, 'utf8')) as { pid: number }).pid;
}

/** Asks again until `look` gives something. */
async function eventually<T>(look: () => Promise<T | undefined> | T | undefined, limit = 90_000): Promise<T> {
  const deadline = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come to pass');
    await systemClock.sleep(50);
  }
}

function lifecycleTests(): void {
  let own: PrivateContainerd;
  let runtime: CriRuntime;

  beforeAll(async () => {
    own = await startPrivateContainerd(2);
    runtime = new CriRuntime({ endpoint: own.containerd.endpoint, instance: 'node-1' });
  });

  afterAll(async () => {
    runtime?.close();
    await own?.close();
  });

  test('a second start takes up the one that runs', async () => {
    const pid = pidOf(own.containerd);
    const next = new Containerd({ home: own.home, clock: systemClock, log: silentLogger });
    await next.start(AbortSignal.timeout(60_000));
    expect(pidOf(next)).toBe(pid);
  });

  test('one that is killed comes back; containers keep their ids, ends meanwhile are told, and events go on', async () => {
    const stop = new AbortController();
    const events: RuntimeEvent[] = [];
    const running = own.containerd.run(stop.signal);
    const listening = (async () => {
      for await (const event of runtime.events(stop.signal)) events.push(event);
    })();
    const never = new AbortController().signal;
    const config = sandboxConfig(own.home);
    const sandbox = await runtime.runSandbox(config, never);
    try {
      const stays = await runtime.createContainer(sandbox, containerConfig(['/bin/sleep', '3600']), config);
      await runtime.startContainer(stays);
      const ends = await runtime.createContainer(
        sandbox,
        { ...containerConfig(['/bin/sh', '-c', 'while [ ! -e /end ]; do sleep 0.05; done; exit 7'], 1), name: 'ends' },
        config,
      );
      await runtime.startContainer(ends);
      const pid = pidOf(own.containerd);
      const told = events.length;
      process.kill(pid, 'SIGKILL');
      execFileSync('touch', [join(own.containerd.layout.state, 'io.containerd.runtime.v2.task', 'k8s.io', ends, 'rootfs', 'end')]);
      await eventually(() => (pidOf(own.containerd) === pid ? undefined : true));
      await eventually(() => events.slice(told).find(({ type }) => type === 'Resynchronize'));
      const status = await eventually(async () => {
        const latest = await runtime.containerStatus(ends).catch(() => undefined);
        return latest?.state === 'Exited' ? latest : undefined;
      });
      expect(status.exitCode).toBe(7);
      expect(await runtime.containerStatus(stays)).toMatchObject({ id: stays, state: 'Running', attempt: 0, sandboxId: sandbox });
      expect((await runtime.sandboxStatus(sandbox))?.state).toBe('Ready');
      await runtime.stopContainer(stays, 0);
      await eventually(() => events.find((event) => event.type === 'ContainerExited' && event.id === stays));
    } finally {
      stop.abort();
      await Promise.all([running, listening]);
      await runtime.stopSandbox(sandbox);
      await runtime.removeSandbox(sandbox);
    }
  });

  test('the end of the agent is not its end', async () => {
    const stop = new AbortController();
    const running = own.containerd.run(stop.signal);
    stop.abort();
    await running;
    expect(own.containerd.isRunning()).toBe(true);
  });

  test('a changed configuration starts it again', async () => {
    const pid = pidOf(own.containerd);
    writeFileSync(own.containerd.layout.configuration, '# something older\n');
    await own.containerd.start(AbortSignal.timeout(60_000));
    expect(pidOf(own.containerd)).not.toBe(pid);
    expect(readFileSync(own.containerd.layout.configuration, 'utf8')).toContain(pauseImageReference);
  });

  test('the pause program reaps what its pod leaves, and the pause image counts as pinned', async () => {
    expect((await runtime.imageStatus(pauseImageReference))?.pinned).toBe(true);
    const config = sandboxConfig(own.home);
    const sandbox = await runtime.runSandbox(config, new AbortController().signal);
    try {
      const id = await runtime.createContainer(sandbox, containerConfig(['/bin/sleep', '3600']), config);
      await runtime.startContainer(id);
      // The middle process ends at once, so the last one is pause's; what it leaves when it ends must not stay as a zombie.
      await runtime.execSync(id, ['/bin/sh', '-c', '(sleep 0.1 &) ; exit 0'], 60_000);
      await eventually(async () => {
        const { stdout } = await runtime.execSync(id, ['/bin/ps', '-o', 'pid,stat,comm'], 60_000);
        const lines = Buffer.from(stdout).toString();
        expect(lines).toMatch(/^ *1 .*pause$/m);
        return /sleep/.test(lines.replace(/sleep$/m, '')) ? undefined : true;
      });
      const { stdout } = await runtime.execSync(id, ['/bin/ps', '-o', 'pid,stat,comm'], 60_000);
      expect(Buffer.from(stdout).toString()).not.toMatch(/ Z/);
    } finally {
      await runtime.stopSandbox(sandbox);
      await runtime.removeSandbox(sandbox);
    }
  });
}

function imageTests(): void {
  let own: PrivateContainerd;
  let runtime: CriRuntime;
  let folder: string;
  const servers: Server[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-images-'));
    own = await startPrivateContainerd(3);
    runtime = new CriRuntime({ endpoint: own.containerd.endpoint, instance: 'node-1' });
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  afterAll(async () => {
    runtime?.close();
    await own?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const load = (archive: string | Uint8Array): Promise<readonly string[]> => loadImage({ socket: own.containerd.layout.socket, archive });

  test('an archive of ours, plain and gzipped, from a file', async () => {
    const archive = await buildDemoImage('berth.local/loaded:1');
    const path = join(folder, 'loaded.tar.gz');
    writeFileSync(path, gzipSync(archive));
    expect(await load(path)).toEqual(['berth.local/loaded:1']);
    expect((await runtime.imageStatus('berth.local/loaded:1'))?.tags).toContain('berth.local/loaded:1');
    await runtime.removeImage('berth.local/loaded:1');
    expect(await runtime.imageStatus('berth.local/loaded:1')).toBeUndefined();
    expect(await load(archive)).toEqual(['berth.local/loaded:1']);
  });

  (spawnSync('skopeo', ['--version']).error === undefined ? test : test.skip)(
    "an archive in docker-save's form, whose short name is completed",
    async () => {
      const source = join(folder, 'source.tar');
      const saved = join(folder, 'saved.tar');
      writeFileSync(source, await buildDemoImage('berth.local/source:1'));
      execFileSync('skopeo', ['--insecure-policy', 'copy', '--quiet', `oci-archive:${source}`, `docker-archive:${saved}:hello:2`]);
      expect(await load(saved)).toEqual(['docker.io/library/hello:2']);
      expect(await runtime.imageStatus('hello:2')).toBeDefined();
    },
  );

  test('what is no archive, or has no name, is refused in words', async () => {
    await expect(load(Buffer.from('this is no archive'))).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(load(Buffer.alloc(0))).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(load(gzipSync(Buffer.alloc(100_000, 'x')).subarray(0, 60))).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(load(join(folder, 'missing.tar'))).rejects.toMatchObject({ message: expect.stringContaining('missing.tar') });
  });

  test('a containerd that is not there is said to be', async () => {
    const loading = loadImage({
      socket: join(folder, 'none.sock'),
      archive: await buildImageArchive({ reference: 'berth.local/x:1', entries: [] }),
    });
    await expect(loading).rejects.toMatchObject({ code: 'Unavailable', message: expect.stringContaining('none.sock') });
  });

  /** A registry with one image, over plain HTTP, that the node reaches as `registry.test`. */
  async function registry(options: { readonly password?: string; readonly slow?: boolean } = {}): Promise<void> {
    const layer = await layerOf(options.slow === true ? 4 << 20 : 1_000);
    const configuration = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: [digest(layer)] },
      }),
    );
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest(configuration), size: configuration.length },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digest(layer), size: layer.length }],
      }),
    );
    const blobs = new Map([layer, configuration, manifest].map((blob) => [digest(blob), blob]));
    const server = createServer((request, response) => {
      const expected = options.password === undefined ? undefined : `Basic ${Buffer.from(`user:${options.password}`).toString('base64')}`;
      if (expected !== undefined && request.headers.authorization !== expected) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
        return;
      }
      const path = new URL(request.url ?? '', 'http://registry').pathname;
      const last = path.split('/').at(-1) ?? '';
      const content = path.includes('/things/manifests/') ? (last === '1' ? manifest : blobs.get(last)) : blobs.get(last);
      if (content === undefined) {
        response.writeHead(404).end();
        return;
      }
      const headers = {
        'content-type': content === manifest ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream',
        'docker-content-digest': digest(content),
        'content-length': content.length,
      };
      response.writeHead(200, headers);
      if (request.method === 'HEAD') response.end();
      else if (content === layer && options.slow === true) {
        response.write(content.subarray(0, content.length / 2));
        setTimeout(() => response.end(content.subarray(content.length / 2)), 1_500);
      } else response.end(content);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const hosts = join(own.containerd.layout.registries, 'registry.test');
    mkdirSync(hosts, { recursive: true });
    const { port } = server.address() as AddressInfo;
    writeFileSync(
      join(hosts, 'hosts.toml'),
      `server = "http://127.0.0.1:${port}"\n[host."http://127.0.0.1:${port}"]\n  capabilities = ["pull", "resolve"]\n`,
    );
  }

  async function layerOf(size: number): Promise<Buffer> {
    const name = `content-${size}`;
    writeFileSync(join(folder, name), Buffer.alloc(size, 'berth'));
    return execFileSync('tar', ['-C', folder, '-cf', '-', name], { maxBuffer: 64 << 20 });
  }

  const digest = (content: Uint8Array): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const never = new AbortController().signal;

  test('an image is pulled, with its progress', async () => {
    await registry({ slow: true });
    const progress: { doneBytes: number; totalBytes: number }[] = [];
    const id = await runtime.pullImage('registry.test/things:1', { signal: never, onProgress: (step) => progress.push(step) });
    expect((await runtime.imageStatus('registry.test/things:1'))?.id).toBe((await runtime.imageStatus(id))?.id);
    const half = progress.find(({ doneBytes, totalBytes }) => doneBytes > 1 << 20 && totalBytes > 4 << 20);
    expect(half).toBeDefined();
    await runtime.removeImage(id);
  });

  test('a pull that nobody wants any more ends', async () => {
    await registry({ slow: true });
    const stop = new AbortController();
    const pulling = runtime.pullImage('registry.test/things:1', { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(pulling).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('a registry that wants a password: right, wrong and none', async () => {
    await registry({ password: 'secret' });
    const pull = (auth?: { username: string; password: string }): Promise<string> =>
      runtime.pullImage('registry.test/things:1', { signal: never, ...(auth === undefined ? {} : { auth }) });
    await expect(pull()).rejects.toMatchObject({ code: 'Unauthenticated' });
    await expect(pull({ username: 'user', password: 'wrong' })).rejects.toMatchObject({ code: 'Unauthenticated' });
    await pull({ username: 'user', password: 'secret' });
    await runtime.removeImage('registry.test/things:1');
  });

  test('an image that the registry has not, a registry that is not there, a name that is none', async () => {
    await registry();
    await expect(runtime.pullImage('registry.test/nothing:1', { signal: never })).rejects.toMatchObject({ code: 'NotFound' });
    await expect(runtime.pullImage('127.0.0.1:9/things:1', { signal: never })).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(runtime.pullImage('Not A Name', { signal: never })).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  test('a home with a long path works, and goes away without a trace', async () => {
    const home = join(folder, 'a-long-name-'.repeat(10));
    const containerd = new Containerd({ home, clock: systemClock, log: silentLogger });
    try {
      await containerd.start(AbortSignal.timeout(60_000));
      expect(Buffer.byteLength(containerd.layout.socket)).toBeLessThan(100);
    } finally {
      await removeContainerd({ home, clock: systemClock });
    }
    expect(existsSync(containerd.layout.folder)).toBe(false);
    expect(existsSync(containerd.layout.socket)).toBe(false);
  });

  test('one that cannot start says why, with the end of its log', async () => {
    const home = join(folder, 'broken');
    const script = join(folder, 'containerd-that-fails');
    writeFileSync(script, '#!/bin/sh\necho "the disk is upside down" >&2\nexit 1\n', { mode: 0o755 });
    const containerd = new Containerd({
      home,
      clock: systemClock,
      log: silentLogger,
      binaries: { ...findContainerdBinaries(), containerd: script },
    });
    await expect(containerd.start(AbortSignal.timeout(60_000))).rejects.toThrow(/the disk is upside down/);
    const missing = new Containerd({
      home,
      clock: systemClock,
      log: silentLogger,
      binaries: { ...findContainerdBinaries(), containerd: '/no/such/containerd' },
    });
    await expect(missing.start(AbortSignal.timeout(60_000))).rejects.toThrow(/\/no\/such\/containerd/);
  });
}
