/**
 * Load on a server's API from a process of its own. Here is what asks for it; the process itself is load-process.ts. The figures: how
 * many requests a second, and what each took of the server's CPU (its main thread's alone, and all of its threads').
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions } from '#client/kubeconfig';
import { repository } from '../harness/cluster.ts';
import type { Protocol } from './lean-connection.ts';

export interface LoadJob {
  /** Connections are spread over them in turn. */
  readonly servers: readonly ConnectionOptions[];
  readonly connections: number;
  readonly protocol: Protocol;
  readonly encoding: 'json' | 'protobuf';
  readonly verb: 'create' | 'get' | 'update' | 'list';
  readonly resource: 'pods' | 'configmaps';
  /** Objects are called `PREFIX-0` to `PREFIX-(count-1)`. */
  readonly prefix: string;
  readonly count: number;
  /** Requests of the same sort beforehand, on objects of their own (gets, updates, lists: on the same). */
  readonly warmUp: number;
}

/** From the load's process to the one that asked for it. */
export type LoadReport =
  | { readonly type: 'warm' }
  | { readonly type: 'failed'; readonly message: string }
  | {
      readonly type: 'done';
      readonly seconds: number;
      /** Milliseconds. */
      readonly median: number;
      readonly p99: number;
      /** Of the load's own process, microseconds per request. */
      readonly ownCpu: number;
    };

export interface LoadResult {
  /** Requests a second. */
  readonly rate: number;
  readonly median: number;
  readonly p99: number;
  /** Microseconds of CPU for each request: of the servers' main threads, of all their threads, of the load. */
  readonly mainCpu: number;
  readonly allCpu: number;
  readonly ownCpu: number;
}

/** Runs the job and measures the servers with these process ids. Rejects when any request is refused. */
export async function runLoad(job: LoadJob, pids: readonly number[]): Promise<LoadResult> {
  const child = fork(join(repository, 'dist/test/bench/load-process.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    child.send(job);
    await heard(child, 'warm');
    const before = cpuOf(pids);
    child.send('go');
    const done = await heard(child, 'done');
    const after = cpuOf(pids);
    return {
      rate: job.count / done.seconds,
      median: done.median,
      p99: done.p99,
      mainCpu: (after.main - before.main) / job.count,
      allCpu: (after.all - before.all) / job.count,
      ownCpu: done.ownCpu,
    };
  } finally {
    child.kill();
  }
}

function heard<T extends LoadReport['type']>(child: ChildProcess, type: T): Promise<Extract<LoadReport, { type: T }>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the load's process ended with code ${code}`));
    child.once('exit', onExit);
    child.once('message', (report: LoadReport) => {
      child.removeListener('exit', onExit);
      if (report.type === type) resolve(report as Extract<LoadReport, { type: T }>);
      else reject(new Error(report.type === 'failed' ? report.message : `the load reported ${report.type}, not ${type}`));
    });
  });
}

/** CPU time until now, microseconds. */
function cpuOf(pids: readonly number[]): { readonly main: number; readonly all: number } {
  let main = 0;
  let all = 0;
  for (const pid of pids) {
    main += ticksOf(`/proc/${pid}/task/${pid}/stat`);
    all += ticksOf(`/proc/${pid}/stat`);
  }
  return { main: main * 10_000, all: all * 10_000 };
}

/** User and system time, in the kernel's ticks of 10 ms. */
function ticksOf(path: string): number {
  const stat = readFileSync(path, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
