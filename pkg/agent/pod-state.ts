/** The little that the agent must remember of a pod and cannot see in the runtime: since when it has it, and that it has ended. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
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

function isPodState(value: unknown): value is PodState {
  return typeof value === 'object' && value !== null && 'startTime' in value && typeof value.startTime === 'number';
}
