/** What is accepted of Jobs, and may surprise. */
import { checkDns1123Label } from '../names.ts';
import type { JobSpec } from '../shapes/types/batch-v1.ts';

const manyCompletions = 100_000;
const manyParallel = 10_000;

/** For the name of a new Job or CronJob: pods are named by it. */
export function warnOfName(name: string): string[] {
  const faults = checkDns1123Label(name);
  if (faults.length === 0) return [];
  const advice = 'this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended';
  return [`metadata.name: ${advice}: [${faults.join(' ')}]`];
}

export function warnOfIndexes({ completionMode, completions = 0, parallelism = 0 }: JobSpec, path: string): string[] {
  if (completionMode !== 'Indexed' || completions <= manyCompletions || parallelism <= manyParallel) return [];
  const many = 'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4';
  return [`${path}: ${many}, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`];
}
