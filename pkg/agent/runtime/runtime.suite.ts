/**
 * What every driver must do, as one suite: called by the fake's unit test and, over real containerd, by test/integration. A driver brings the
 * programs (an image and a command each) by which the suite makes containers that run on, end, and so on.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { plainContainer, plainSandbox } from './plain-configs.ts';
import type { ContainerConfig, ContainerStatus, Runtime, RuntimeEvent, SandboxConfig } from './runtime.ts';

export interface Program {
  readonly image: string;
  readonly command: readonly string[];
}

export interface RuntimeUnderTest {
  readonly runtime: Runtime;
  /** A second driver on the same runtime, as another node's agent has it. */
  readonly stranger: Runtime;
  readonly programs: {
    readonly runsOn: Program;
    readonly exitsWith3: Program;
    /** Runs on and does nothing about TERM. */
    readonly ignoresTerm: Program;
    /** Its program does not exist in the image. */
    readonly missingProgram: Program;
    /** Needs more memory than 32 MiB and is given that. */
    readonly outOfMemory: Program;
  };
  /** Commands for a container that runs on. */
  readonly commands: {
    /** Writes `out` to stdout, `err` to stderr and ends with 4. */
    readonly speaks: readonly string[];
    readonly hangs: readonly string[];
    readonly missing: readonly string[];
  };
  /** An image that nobody can give. */
  readonly missingImage: string;
  /** Has the time pass that a program needs (nothing, where time passes by itself). */
  passTime(): Promise<void>;
  close(): Promise<void>;
}

export function runtimeSuite(name: string, create: () => Promise<RuntimeUnderTest>): void {
  describe(`runtime driver ${name}`, () => {
    let under: RuntimeUnderTest;
    let runtime: Runtime;
    let logs: string;
    const never = new AbortController().signal;
    let uid = 0;

    beforeAll(async () => {
      logs = mkdtempSync(join(tmpdir(), 'berth-runtime-'));
      under = await create();
      runtime = under.runtime;
    });

    afterAll(async () => {
      await under?.close();
      rmSync(logs, { recursive: true, force: true });
    });

    function sandboxConfig(overrides: Partial<SandboxConfig> = {}): SandboxConfig {
      uid++;
      return plainSandbox({
        pod: { namespace: 'default', name: `pod-${uid}`, uid: `uid-${process.pid}-${uid}` },
        logDirectory: join(logs, String(uid)),
        labels: { 'test.berth.dev/label': 'kept' },
        annotations: { 'test.berth.dev/annotation': 'kept too' },
        ...overrides,
      });
    }

    function containerConfig(program: Program, overrides: Partial<ContainerConfig> = {}): ContainerConfig {
      return plainContainer({ image: program.image, command: program.command, logPath: 'main/0.log', ...overrides });
    }

    /** A sandbox for the length of `body`. */
    async function withSandbox(
      body: (id: string, config: SandboxConfig) => Promise<void>,
      overrides: Partial<SandboxConfig> = {},
    ): Promise<void> {
      const config = sandboxConfig(overrides);
      const id = await runtime.runSandbox(config, never);
      try {
        await body(id, config);
      } finally {
        await runtime.stopSandbox(id);
        await runtime.removeSandbox(id);
      }
    }

    async function started(sandbox: string, sandboxConfig: SandboxConfig, config: ContainerConfig): Promise<string> {
      const id = await runtime.createContainer(sandbox, config, sandboxConfig);
      await runtime.startContainer(id);
      return id;
    }

    /** Collects events from now on, and lets a test wait for one, whatever their order. */
    async function listening(signal: AbortSignal): Promise<{ until(matches: (event: RuntimeEvent) => boolean): Promise<RuntimeEvent> }> {
      const seen: RuntimeEvent[] = [];
      let wake = (): void => undefined;
      void (async () => {
        for await (const event of runtime.events(signal)) {
          seen.push(event);
          wake();
        }
      })();
      const until = async (matches: (event: RuntimeEvent) => boolean): Promise<RuntimeEvent> => {
        for (;;) {
          const index = seen.findIndex(matches);
          const [found] = index < 0 ? [] : seen.splice(index, 1);
          if (found !== undefined) return found;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      };
      await until((event) => event.type === 'Resynchronize');
      return { until };
    }

    async function ended(id: string, events: Awaited<ReturnType<typeof listening>>): Promise<ContainerStatus> {
      await under.passTime();
      await events.until((event) => event.type === 'ContainerExited' && event.id === id);
      const status = await runtime.containerStatus(id);
      if (status === undefined) throw new Error(`container ${id} is not there`);
      return status;
    }

    test('says who it is and that it is ready', async () => {
      const info = await runtime.info();
      expect(info.name).not.toBe('');
      expect(info.version).not.toBe('');
      const conditions = await runtime.conditions();
      expect(conditions.find(({ type }) => type === 'RuntimeReady')?.status).toBe(true);
    });

    test('a sandbox is listed with what it was made with, and gone when removed', async () => {
      const config = sandboxConfig({ attempt: 2 });
      const id = await runtime.runSandbox(config, never);
      const [listed] = (await runtime.listSandboxes()).filter((sandbox) => sandbox.id === id);
      expect(listed).toMatchObject({ id, pod: config.pod, attempt: 2, state: 'Ready' });
      expect(listed?.labels).toMatchObject(config.labels);
      expect(listed?.annotations).toMatchObject(config.annotations);
      expect((await runtime.sandboxStatus(id))?.addresses).toHaveLength(1);
      await runtime.stopSandbox(id);
      expect((await runtime.sandboxStatus(id))?.state).toBe('NotReady');
      await runtime.removeSandbox(id);
      expect(await runtime.sandboxStatus(id)).toBeUndefined();
      expect((await runtime.listSandboxes()).some((sandbox) => sandbox.id === id)).toBe(false);
    });

    test("a sandbox on the host's network has no address of its own", async () => {
      await withSandbox(
        async (id) => {
          expect((await runtime.sandboxStatus(id))?.addresses).toEqual([]);
        },
        { hostNetwork: true, hostname: '' },
      );
    });

    test('the same pod and attempt twice is refused', async () => {
      await withSandbox(async (_id, config) => {
        await expect(runtime.runSandbox(config, never)).rejects.toMatchObject({ name: 'RuntimeError', code: 'AlreadyExists' });
      });
    });

    test('what is missing: stopping and removing do nothing, reading gives undefined', async () => {
      const missing = '0123456789abcdef'.repeat(4);
      await runtime.stopSandbox(missing);
      await runtime.removeSandbox(missing);
      await runtime.stopContainer(missing, 0);
      await runtime.removeContainer(missing);
      expect(await runtime.sandboxStatus(missing)).toBeUndefined();
      expect(await runtime.containerStatus(missing)).toBeUndefined();
      await expect(runtime.startContainer(missing)).rejects.toMatchObject({ code: 'NotFound' });
      await expect(runtime.execSync(missing, ['true'], 1_000)).rejects.toMatchObject({ code: 'NotFound' });
    });

    test('a container is created, runs, and is listed with its names', async () => {
      await withSandbox(async (sandbox, config) => {
        const id = await runtime.createContainer(sandbox, containerConfig(under.programs.runsOn, { attempt: 1 }), config);
        expect(await runtime.containerStatus(id)).toMatchObject({ state: 'Created', exitCode: undefined, finishedAt: undefined });
        await runtime.startContainer(id);
        const status = await runtime.containerStatus(id);
        expect(status).toMatchObject({ id, sandboxId: sandbox, pod: config.pod, name: 'main', attempt: 1, state: 'Running' });
        expect(status?.startedAt).toBeGreaterThanOrEqual(status?.createdAt ?? Number.POSITIVE_INFINITY);
        expect(status?.imageId).not.toBe('');
        const listed = (await runtime.listContainers()).find((container) => container.id === id);
        expect(listed).toMatchObject({ id, sandboxId: sandbox, pod: config.pod, name: 'main', attempt: 1, state: 'Running' });
      });
    });

    test('an exit is an event, and the status shows it by then, with its code', async () => {
      const stop = new AbortController();
      try {
        const events = await listening(stop.signal);
        await withSandbox(async (sandbox, config) => {
          const id = await started(sandbox, config, containerConfig(under.programs.exitsWith3));
          const status = await ended(id, events);
          expect(status).toMatchObject({ state: 'Exited', exitCode: 3, reason: 'Error' });
          expect(status.finishedAt).toBeGreaterThanOrEqual(status.startedAt ?? Number.POSITIVE_INFINITY);
        });
      } finally {
        stop.abort();
      }
    });

    test('a start is an event', async () => {
      const stop = new AbortController();
      try {
        const events = await listening(stop.signal);
        await withSandbox(async (sandbox, config) => {
          const id = await started(sandbox, config, containerConfig(under.programs.runsOn));
          expect(await events.until((event) => event.type === 'ContainerStarted' && event.id === id)).toEqual({
            type: 'ContainerStarted',
            id,
          });
        });
      } finally {
        stop.abort();
      }
    });

    test('a container that is out of memory says so', async () => {
      const stop = new AbortController();
      try {
        const events = await listening(stop.signal);
        await withSandbox(async (sandbox, config) => {
          const program = containerConfig(under.programs.outOfMemory, {
            resources: { cpuPeriod: 0, cpuQuota: 0, cpuShares: 0, memoryLimitBytes: 32 << 20, oomScoreAdjustment: 0 },
          });
          const id = await started(sandbox, config, program);
          expect(await ended(id, events)).toMatchObject({ state: 'Exited', exitCode: 137, reason: 'OOMKilled' });
        });
      } finally {
        stop.abort();
      }
    });

    test('stopping asks first and kills after the grace period', async () => {
      const stop = new AbortController();
      try {
        const events = await listening(stop.signal);
        await withSandbox(async (sandbox, config) => {
          const id = await started(sandbox, config, containerConfig(under.programs.ignoresTerm));
          const stopping = runtime.stopContainer(id, 1);
          await under.passTime();
          await stopping;
          expect(await ended(id, events)).toMatchObject({ state: 'Exited', exitCode: 137 });
          await runtime.stopContainer(id, 1);
        });
      } finally {
        stop.abort();
      }
    });

    test('stopping a sandbox ends what runs in it', async () => {
      const stop = new AbortController();
      try {
        const events = await listening(stop.signal);
        await withSandbox(async (sandbox, config) => {
          const id = await started(sandbox, config, containerConfig(under.programs.runsOn));
          await runtime.stopSandbox(sandbox);
          expect((await ended(id, events)).state).toBe('Exited');
          expect(await events.until((event) => event.type === 'SandboxExited')).toEqual({ type: 'SandboxExited', id: sandbox });
        });
      } finally {
        stop.abort();
      }
    });

    test('a program that does not exist fails at the start, by name', async () => {
      await withSandbox(async (sandbox, config) => {
        const id = await runtime.createContainer(sandbox, containerConfig(under.programs.missingProgram), config);
        await expect(runtime.startContainer(id)).rejects.toMatchObject({ name: 'RuntimeError', code: 'NotFound' });
      });
    });

    test('the same container name and attempt twice in one sandbox is refused', async () => {
      await withSandbox(async (sandbox, config) => {
        const container = containerConfig(under.programs.runsOn);
        await runtime.createContainer(sandbox, container, config);
        await expect(runtime.createContainer(sandbox, container, config)).rejects.toMatchObject({ code: 'AlreadyExists' });
        await runtime.createContainer(sandbox, { ...container, attempt: 1 }, config);
      });
    });

    test('a command in a container: its output, its code, its deadline, its absence', async () => {
      await withSandbox(async (sandbox, config) => {
        const id = await started(sandbox, config, containerConfig(under.programs.runsOn));
        const result = await runtime.execSync(id, under.commands.speaks, 60_000);
        expect(Buffer.from(result.stdout).toString()).toBe('out');
        expect(Buffer.from(result.stderr).toString()).toBe('err');
        expect(result.exitCode).toBe(4);
        const hanging = runtime.execSync(id, under.commands.hangs, 300);
        // Watched from the beginning: it may fail before time has passed.
        const outcome = hanging.catch((error: unknown) => error);
        await under.passTime();
        expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' });
        await expect(runtime.execSync(id, under.commands.missing, 60_000)).rejects.toMatchObject({ code: 'NotFound' });
      });
    });

    test('figures name the container they are of', async () => {
      await withSandbox(async (sandbox, config) => {
        const id = await started(sandbox, config, containerConfig(under.programs.runsOn));
        const stats = (await runtime.stats()).find((entry) => entry.id === id);
        expect(stats).toMatchObject({ pod: config.pod, name: 'main' });
        expect(stats?.memoryWorkingSetBytes).toBeGreaterThan(0);
        expect(stats?.cpuUsageNanoseconds).toBeGreaterThanOrEqual(0n);
      });
    });

    test('images are told by name and id; one that nobody has is undefined, and pulling it fails', async () => {
      const { image } = under.programs.runsOn;
      const status = await runtime.imageStatus(image);
      expect(status?.tags).toContain(image);
      expect((await runtime.imageStatus(status?.id ?? ''))?.id).toBe(status?.id);
      expect((await runtime.listImages()).map(({ id }) => id)).toContain(status?.id);
      expect(await runtime.imageStatus(under.missingImage)).toBeUndefined();
      const pulling = runtime.pullImage(under.missingImage, { signal: never });
      await expect(pulling).rejects.toMatchObject({ name: 'RuntimeError', code: expect.stringMatching(/NotFound|Unavailable/) });
    });

    test("another agent's driver on the same runtime sees and is told nothing of ours", async () => {
      await withSandbox(async (sandbox, config) => {
        const id = await started(sandbox, config, containerConfig(under.programs.runsOn));
        expect(await under.stranger.listSandboxes()).toEqual([]);
        expect(await under.stranger.listContainers()).toEqual([]);
        expect(await under.stranger.stats()).toEqual([]);
        expect(await under.stranger.sandboxStatus(sandbox)).toBeUndefined();
        expect(await under.stranger.containerStatus(id)).toBeUndefined();
      });
    });

    test('events end with their signal', async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const event of runtime.events(stop.signal)) {
        seen.push(event.type);
        stop.abort();
      }
      expect(seen).toEqual(['Resynchronize']);
    });
  });
}
