/** What a container says of its own end: the file at its termination message path or, if it asks for that, the end of its log. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '#api/shapes/types/core-v1';
import { logPathOf } from './container-config.ts';
import { readLogs } from './logs/read-logs.ts';
import type { ContainerStatus } from './runtime/runtime.ts';

const maximumBytes = 4096;
const fallback = { lines: 80, bytes: 2048 };

/** Below the pod's folder. */
export function terminationFileOf(podDirectory: string, container: string, attempt: number): string {
  return join(podDirectory, 'termination', container, String(attempt));
}

/** Empty when it said nothing; never rejects. */
export async function readTerminationMessage(
  container: Container,
  run: ContainerStatus,
  directories: { readonly pod: string; readonly logs: string },
): Promise<string> {
  try {
    const message = await readStart(terminationFileOf(directories.pod, container.name, run.attempt));
    if (message !== '' || container.terminationMessagePolicy !== 'FallbackToLogsOnError' || run.exitCode === 0) return message;
    const parts: Buffer[] = [];
    const options = { path: join(directories.logs, logPathOf(container.name, run.attempt)), timestamps: false, tailLines: fallback.lines };
    for await (const chunk of readLogs({ ...options, signal: new AbortController().signal })) parts.push(chunk);
    return Buffer.concat(parts).subarray(-fallback.bytes).toString('utf8');
  } catch {
    return '';
  }
}

async function readStart(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maximumBytes), 0, maximumBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
