/**
 * The little that the agent must remember of a pod and cannot see in the runtime: since when it has it, that it has ended, and what it last reported
 * (so that a restart of the agent neither takes a ready container out of service nor counts its restarts anew).
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodStatus } from '#api/shapes/types/core-v1';
import { codeOf } from '#base/errors';
import { writeDurably } from './durable-file.ts';
import type { Outcome } from './plan.ts';

export interface PodState {
  /** Milliseconds since 1970. */
  readonly startTime: number;
  readonly outcome?: Outcome;
}

/** Undefined when there is none, or what is there cannot be read as one. */
export async function readPodState(podDirectory: string): Promise<PodState | undefined> {
  let text: string;
  try {
    text = await readFile(join(podDirectory, 'state.json'), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    return isPodState(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export async function writePodState(podDirectory: string, state: PodState): Promise<void> {
  await writeDurably(join(podDirectory, 'state.json'), JSON.stringify(state), 0o600);
}

/** The first state of a pod. Not synced, as it is on the way of every start: lost in a crash of the machine, the API still tells it. */
export async function writeStartTime(podDirectory: string, startTime: number): Promise<void> {
  await mkdir(podDirectory, { recursive: true, mode: 0o700 });
  await replace(join(podDirectory, 'state.json'), { startTime });
}

async function replace(path: string, content: object): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function isPodState(value: unknown): value is PodState {
  return typeof value === 'object' && value !== null && 'startTime' in value && typeof value.startTime === 'number';
}

/** Undefined when nothing was kept. */
export async function readReported(podDirectory: string): Promise<PodStatus | undefined> {
  try {
    return JSON.parse(await readFile(join(podDirectory, 'status.json'), 'utf8')) as PodStatus;
  } catch {
    // Not there, or cut off by a crash of the machine: then nothing that was running is running any more.
    return undefined;
  }
}

/** Not synced: it need not outlive the machine's crash, only the agent's. */
export async function writeReported(podDirectory: string, status: PodStatus): Promise<void> {
  await replace(join(podDirectory, 'status.json'), status);
}
