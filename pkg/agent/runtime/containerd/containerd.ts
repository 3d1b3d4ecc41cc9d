/**
 * Berth's own containerd under `$BERTH_HOME/containerd`: written configuration, started, watched, started again when it dies.
 * Invariant: it outlives the agent, and so do the containers under it; an agent that starts again takes up the one that runs. What it
 * leaves to others: the network's configuration (../../network), sandboxes and containers (../cri), removing it all (remove.ts).
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { codeOf, messageOf } from '#base/errors';
import { isAbort, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import { currentBootId, isRunning, type ProcessRecord, readProcessRecord, recordOf } from '#base/process-record';
import { CriRuntime } from '../cri/cri-runtime.ts';
import { loadImage } from '../images/load-image.ts';
import { buildPauseImage, pauseImageReference } from '../images/pause-image.ts';
import { type ContainerdBinaries, findContainerdBinaries, searchPath } from './binaries.ts';
import { renderContainerdConfiguration } from './configuration.ts';
import { type ContainerdLayout, containerdLayout } from './layout.ts';

export interface ContainerdOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Found in the usual places unless given. */
  readonly binaries?: ContainerdBinaries;
}

const readyTimeout = 30_000;
const stopTimeout = 10_000;
const pollInterval = 25;
const largestLog = 10 << 20;
/** One that ran this long had started well: its death begins a new series of attempts. */
const settled = 60_000;

export class Containerd implements Runnable {
  readonly name = 'containerd';
  readonly layout: ContainerdLayout;
  readonly #options: ContainerdOptions;

  constructor(options: ContainerdOptions) {
    this.#options = options;
    this.layout = containerdLayout(options.home);
  }

  /** For the CRI driver: `unix://…`. */
  get endpoint(): string {
    return this.layout.endpoint;
  }

  /**
   * Makes sure that it runs, answers and has the pause image. Takes up one that runs with the same configuration. Throws an error that
   * says what is missing, or ends with what containerd itself logged.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { layout } = this;
    if (process.getuid?.() !== 0)
      throw new Error(
        'cannot run containers: containerd needs root. Start the agent as root, or give it the socket of a runtime that runs',
      );
    const binaries = this.#options.binaries ?? findContainerdBinaries();
    await mkdir(layout.root, { recursive: true, mode: 0o711 });
    await mkdir(layout.state, { recursive: true, mode: 0o711 });
    await mkdir(layout.registries, { recursive: true });
    await mkdir(dirname(layout.socket), { recursive: true, mode: 0o711 });
    await mkdir(layout.cniConfiguration, { recursive: true });
    const configuration = this.#configuration(binaries);
    const running = this.#running();
    if (running !== undefined && readIfThere(layout.configuration) !== configuration) {
      this.#options.log.info('containerd has a new configuration, starting it again; containers run on');
      await this.stop();
    }
    const record = this.#running() ?? this.#spawn(binaries, configuration);
    await this.#ready(record, signal);
    await this.#providePauseImage(binaries, signal);
  }

  /** Keeps it running until the signal aborts, and then leaves it running. Throws when it cannot be started the first time. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await this.start(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    for (let attempt = 0; ; ) {
      const since = clock.monotonic();
      await this.#gone(signal);
      if (signal.aborted) return;
      if (clock.monotonic() - since > settled) attempt = 0;
      log.warn('containerd ended, starting it again', { lastWords: this.#lastWords() });
      for (let started = false; !started; attempt++) {
        try {
          await clock.sleep(attempt === 0 ? 0 : backoffDelay({ initial: 250, maximum: 30_000 }, attempt - 1), signal);
          await this.start(signal);
          started = true;
        } catch (error) {
          if (signal.aborted || isAbort(error)) return;
          log.error('containerd could not be started again', { reason: messageOf(error) });
        }
      }
    }
  }

  isRunning(): boolean {
    return this.#running() !== undefined;
  }

  /** Ends it; what it runs goes on, without anyone to watch it. Nothing where it does not run. */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    const record = this.#running();
    if (record === undefined) return;
    process.kill(record.pid, 'SIGTERM');
    const deadline = clock.monotonic() + stopTimeout;
    while (isRunning(record)) {
      if (clock.monotonic() > deadline) process.kill(record.pid, 'SIGKILL');
      await clock.sleep(pollInterval);
    }
    rmSync(this.layout.process, { force: true });
  }

  /** The one that this folder's last agent started, if it still runs. */
  #running(): ProcessRecord | undefined {
    const record = readProcessRecord(this.layout.process);
    return record !== undefined && isRunning(record) ? record : undefined;
  }

  #configuration(binaries: ContainerdBinaries): string {
    return renderContainerdConfiguration({
      layout: this.layout,
      sandboxImage: pauseImageReference,
      runc: binaries.runc,
      cniPlugins: binaries.cniPlugins,
      snapshotter: snapshotterFor(this.layout.root),
      restrictOomScoreAdjustment: !hasResourceCapability(),
    });
  }

  #spawn(binaries: ContainerdBinaries, configuration: string): ProcessRecord {
    const { layout } = this;
    const last = readProcessRecord(layout.process);
    if (last !== undefined && last.bootId !== currentBootId()) {
      // What the state describes died with the machine; containerd expects it to be gone, as it is under /run.
      rmSync(layout.state, { recursive: true, force: true });
    }
    writeFileSync(layout.configuration, configuration);
    rmSync(layout.socket, { force: true });
    rmSync(`${layout.socket}.ttrpc`, { force: true });
    if (sizeOf(layout.log) > largestLog) renameSync(layout.log, `${layout.log}.1`);
    const log = openSync(layout.log, 'a', 0o600);
    try {
      const { NOTIFY_SOCKET: _notify, ...environment } = process.env;
      const child = spawn(binaries.containerd, ['--config', layout.configuration], {
        cwd: layout.folder,
        // A session of its own: signals to the agent's group (Ctrl-C) do not reach it.
        detached: true,
        env: { ...environment, PATH: searchPath() },
        stdio: ['ignore', log, log],
      });
      // Reported by the wait for it to be ready, which looks at the process itself.
      child.on('error', () => undefined);
      child.unref();
      const record = child.pid === undefined ? undefined : recordOf(child.pid);
      if (record === undefined) throw new Error(`cannot start ${binaries.containerd}${this.#lastWords()}`);
      writeFileSync(layout.process, `${JSON.stringify(record)}\n`);
      return record;
    } finally {
      closeSync(log);
    }
  }

  async #ready(record: ProcessRecord, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const runtime = new CriRuntime({ endpoint: this.endpoint, instance: 'start', clock });
    const deadline = clock.monotonic() + readyTimeout;
    try {
      for (;;) {
        if (!isRunning(record)) throw new Error(`containerd ended right after its start${this.#lastWords()}`);
        try {
          await runtime.info(signal);
          return;
        } catch (error) {
          signal.throwIfAborted();
          if (clock.monotonic() > deadline) {
            throw new Error(`containerd did not answer within ${readyTimeout / 1_000} s: ${messageOf(error)}${this.#lastWords()}`, {
              cause: error,
            });
          }
        }
        await clock.sleep(pollInterval, signal);
      }
    } finally {
      runtime.close();
    }
  }

  async #providePauseImage(binaries: ContainerdBinaries, signal: AbortSignal): Promise<void> {
    const runtime = new CriRuntime({ endpoint: this.endpoint, instance: 'start', clock: this.#options.clock });
    try {
      if ((await runtime.imageStatus(pauseImageReference)) !== undefined) return;
      const archive = await buildPauseImage();
      await loadImage({
        socket: this.layout.socket,
        archive,
        ctr: binaries.ctr,
        snapshotter: snapshotterFor(this.layout.root),
        signal,
      });
    } finally {
      runtime.close();
    }
  }

  /** Resolves when the process has ended, or the signal aborts. It is told by its connection, which also tells of one that is not our child. */
  async #gone(signal: AbortSignal): Promise<void> {
    const record = this.#running();
    const { clock } = this.#options;
    if (record === undefined) return;
    while (isRunning(record) && !signal.aborted) {
      const runtime = new CriRuntime({ endpoint: this.endpoint, instance: 'start', clock });
      try {
        await runtime.disconnected(signal);
      } finally {
        runtime.close();
      }
      // The connection ends a little before the process does.
      if (!signal.aborted) await clock.sleep(pollInterval, signal).catch(() => undefined);
    }
  }

  /** The end of its log, as a part of a sentence. */
  #lastWords(): string {
    const lines = (readIfThere(this.layout.log) ?? '').trim().split('\n').slice(-5);
    return lines.join('') === '' ? '' : `; its log (${this.layout.log}) ends:\n${lines.join('\n')}`;
  }
}

/** An overlay cannot lie on another overlay (a container's own disk, say). */
function snapshotterFor(folder: string): 'overlayfs' | 'native' {
  const overlayMagic = 0x794c7630;
  return statfsSync(folder).type === overlayMagic ? 'native' : 'overlayfs';
}

function hasResourceCapability(): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${mask}`) & (1n << 24n)) !== 0n;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
