/** `berth logs`: what a pod's containers, or those of a stack's service, wrote. */

import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { deployments, pods, replicaSets, stacks } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { type Connection, pathOf } from './connection.ts';
import { selectObjects } from './selection.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface LogFlags {
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly container?: string;
  readonly allContainers?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly timestamps?: boolean;
  readonly limitBytes?: string;
  readonly selector?: string;
  readonly prefix?: boolean;
  readonly service?: string;
}

interface Source {
  readonly pod: string;
  readonly container: string | undefined;
}

export async function printLogs(context: VerbContext, connection: Connection, word: string | undefined, flags: LogFlags): Promise<number> {
  const sources = (await findPods(connection, word, flags)).flatMap((pod): Source[] => {
    const name = pod.metadata.name ?? '';
    if (!flags.allContainers) return [{ pod: name, container: flags.container }];
    return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((container) => ({
      pod: name,
      container: container.name,
    }));
  });
  if (sources.length === 0) throw new UsageError('no pod matches', 'berth get pods shows what there is.');
  const prefix = flags.prefix ?? sources.length > 1;
  const show = (source: Source): Promise<void> => printSource(context, connection, source, flags, prefix);
  if (flags.follow) await Promise.all(sources.map(show));
  else for (const source of sources) await show(source);
  return exitCodes.ok;
}

async function findPods(connection: Connection, word: string | undefined, flags: LogFlags): Promise<readonly Pod[]> {
  const { client, namespace } = connection;
  if (word === undefined) {
    if (flags.selector === undefined)
      throw new UsageError('name a pod, or give -l with labels', 'For example: berth logs hello-web-1, or berth logs stack/hello.');
    return (await client.list(pods, { namespace, labelSelector: flags.selector })).items;
  }
  if (!word.includes('/')) return [await client.get(pods, { namespace, name: word })];
  const [selection] = await selectObjects(connection, [word]);
  const { resource, name = '' } = selection!;
  switch (resource.kind) {
    case 'Pod':
      return [await client.get(pods, { namespace, name })];
    case 'Stack': {
      await client.get(stacks, { namespace, name });
      const service = flags.service === undefined ? '' : `,compose.berth.dev/service=${flags.service}`;
      return (await client.list(pods, { namespace, labelSelector: `compose.berth.dev/stack=${name}${service}` })).items;
    }
    case 'Deployment':
    case 'ReplicaSet': {
      const owner =
        resource.kind === 'Deployment'
          ? await client.get(deployments, { namespace, name })
          : await client.get(replicaSets, { namespace, name });
      const labels = Object.entries(owner.spec?.selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
      return (await client.list(pods, { namespace, labelSelector: labels.join(',') })).items;
    }
    default:
      throw new UsageError(`logs of a ${resource.kind} cannot be shown`, 'Name a pod, deployment, replicaset or stack.');
  }
}

async function printSource(context: VerbContext, connection: Connection, source: Source, flags: LogFlags, prefix: boolean): Promise<void> {
  const query = new URLSearchParams();
  if (source.container !== undefined) query.set('container', source.container);
  if (flags.follow) query.set('follow', 'true');
  if (flags.previous) query.set('previous', 'true');
  if (flags.timestamps) query.set('timestamps', 'true');
  if (flags.tail !== undefined) query.set('tailLines', flags.tail);
  if (flags.limitBytes !== undefined) query.set('limitBytes', flags.limitBytes);
  if (flags.since !== undefined) query.set('sinceSeconds', String(parseSince(flags.since)));
  const stream = await connection.stream({ path: `${pathOf(pods, connection.namespace, source.pod, 'log')}?${query.toString()}` });
  const label = prefix ? `${source.pod}${source.container === undefined ? '' : `/${source.container}`} | ` : '';
  await pipeline(stream, prefixLines(label), context.stdout, { end: false, signal: context.signal });
}

/** `5s`, `2m`, `3h`, `1h30m` → seconds. */
export function parseSince(text: string): number {
  const matches = [...text.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)];
  if (matches.length === 0 || matches.map(([whole]) => whole).join('') !== text)
    throw new UsageError(`--since is a duration such as 5s, 2m or 3h, not "${text}"`);
  return Math.ceil(matches.reduce((sum, [, number, unit]) => sum + Number(number) * { h: 3600, m: 60, s: 1 }[unit as 'h' | 'm' | 's'], 0));
}

function prefixLines(label: string): Transform {
  let atStart = true;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (label === '') return done(null, chunk);
      const text = chunk.toString('latin1');
      const prefixed = (atStart ? label : '') + text.replaceAll(/\n(?=[\s\S])/g, `\n${label}`);
      atStart = text.endsWith('\n');
      done(null, Buffer.from(prefixed, 'latin1'));
    },
  });
}
