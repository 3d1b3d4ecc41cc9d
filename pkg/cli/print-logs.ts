/** `berth logs`: what a pod's containers, or those of a stack or a workload, wrote. */

import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { messageOf } from '#base/errors';
import { type Connection, pathOf } from './connection.ts';
import { parseSeconds } from './durations.ts';
import { memberPods } from './member-pods.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface LogFlags {
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly container?: string;
  readonly allContainers?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly sinceTime?: string;
  readonly timestamps?: boolean;
  readonly limitBytes?: string;
  readonly selector?: string;
  readonly prefix?: boolean;
  readonly service?: string;
}

interface Source {
  readonly pod: string;
  readonly container: string | undefined;
  /** Which one it is where none is named. */
  readonly only: string;
}

/** `container` is kubectl's second word; `-c` says the same. */
export async function printLogs(
  context: VerbContext,
  connection: Connection,
  word: string | undefined,
  container: string | undefined,
  flags: LogFlags,
): Promise<number> {
  const query = queryOf(flags);
  const wanted = flags.container ?? container;
  const sources = (await findPods(connection, word, flags)).flatMap((pod): Source[] => {
    const name = pod.metadata.name ?? '';
    const only = pod.spec.containers[0]?.name ?? '';
    if (!flags.allContainers) return [{ pod: name, container: wanted, only }];
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    return containers.map((one) => ({ pod: name, container: one.name, only }));
  });
  if (sources.length === 0) throw new UsageError('no pod matches', 'berth get pods shows what there is.');
  // Asked for, it is kubectl's; that of several pods of one thing is as in Compose.
  const prefixOf = (source: Source): string => {
    if (flags.prefix === true) return `[pod/${source.pod}/${source.container ?? source.only}] `;
    return flags.prefix === undefined && sources.length > 1 && word !== undefined ? `${labelOf(source)} | ` : '';
  };
  const show = (source: Source): Promise<void> => printSource(context, connection, source, query, prefixOf(source));
  if (sources.length === 1) {
    await show(sources[0]!);
    return exitCodes.ok;
  }
  // That one of several has nothing to show yet does not take the others away.
  let exitCode: number = exitCodes.ok;
  const attempt = async (source: Source): Promise<void> => {
    try {
      await show(source);
    } catch (error) {
      if (context.signal.aborted) throw error;
      context.stderr.write(`${labelOf(source)}: ${messageOf(error)}\n`);
      exitCode = exitCodes.error;
    }
  };
  if (flags.follow) await Promise.all(sources.map(attempt));
  else for (const source of sources) await attempt(source);
  return exitCode;
}

async function findPods(connection: Connection, word: string | undefined, flags: LogFlags): Promise<readonly Pod[]> {
  const { client, namespace } = connection;
  if (word !== undefined) return await memberPods(connection, word, flags.service);
  if (flags.selector === undefined)
    throw new UsageError('name a pod, or give -l with labels', 'For example: berth logs hello-web-1, or berth logs stack/hello.');
  return (await client.list(pods, { namespace, labelSelector: flags.selector })).items;
}

function queryOf(flags: LogFlags): URLSearchParams {
  const query = new URLSearchParams();
  if (flags.follow) query.set('follow', 'true');
  if (flags.previous) query.set('previous', 'true');
  if (flags.timestamps) query.set('timestamps', 'true');
  // kubectl's -1 is all lines.
  if (flags.tail !== undefined && flags.tail !== '-1') query.set('tailLines', flags.tail);
  if (flags.limitBytes !== undefined) query.set('limitBytes', flags.limitBytes);
  if (flags.since !== undefined && flags.sinceTime !== undefined) throw new UsageError('--since and --since-time say the same: give one');
  if (flags.since !== undefined) query.set('sinceSeconds', String(Math.max(1, Math.ceil(parseSeconds('--since', flags.since)))));
  if (flags.sinceTime !== undefined) query.set('sinceTime', flags.sinceTime);
  return query;
}

async function printSource(
  context: VerbContext,
  connection: Connection,
  source: Source,
  wanted: URLSearchParams,
  prefix: string,
): Promise<void> {
  const query = new URLSearchParams(wanted);
  if (source.container !== undefined) query.set('container', source.container);
  const stream = await connection.stream({
    path: `${pathOf(pods, connection.namespace, source.pod, 'log')}?${query.toString()}`,
    accept: '*/*',
  });
  const { signal } = context;
  // Written chunk by chunk, not piped: each pipe would put its listeners on the one stdout that all sources share.
  const show = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) await new Promise<void>((resolve) => context.stdout.write(chunk, () => resolve()));
  };
  if (prefix) await pipeline(stream, prefixLines(`${labelOf(source)} | `), show, { signal });
  else await pipeline(stream, show, { signal });
}

function labelOf({ pod, container }: Source): string {
  return container === undefined ? pod : `${pod}/${container}`;
}

/** Gives whole lines only, each behind `label`, so that those of several sources do not run into one another; a last line without an end gets one. */
export function prefixLines(label: string): Transform {
  let rest = '';
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      done(null, Buffer.from(lines.map((line) => `${label}${line}\n`).join(''), 'latin1'));
    },
    flush(done) {
      done(null, rest === '' ? undefined : Buffer.from(`${label}${rest}\n`, 'latin1'));
    },
  });
}
