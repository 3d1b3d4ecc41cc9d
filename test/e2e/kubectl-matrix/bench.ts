/**
 * What the rows of the kubectl matrix are, and what they have to work with. A row: a command as its users write it, and what it must print or change.
 * It makes for itself what it changes, so that rows depend on nothing but what every namespace begins with: the pod `solo` (a page on port 8080, and
 * what comes on its standard input is said again) and the deployment `web`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import type { Kubectl } from '../../harness/kubectl.ts';

export const image = 'berth.local/hello:1';

/** What a row has to work with: one kubectl, in a namespace of its own. */
export interface Bench {
  readonly kubectl: Kubectl;
  readonly namespace: string;
  readonly node: string;
  /** An empty folder of the bench's own. */
  readonly folder: string;
  /** `kubectl -n NAMESPACE …`, which must succeed; gives stdout. */
  run(...args: string[]): Promise<string>;
  /** The same, whatever its exit code; gives stdout and stderr. */
  attempt(...args: string[]): Promise<string>;
}

export interface Row {
  readonly command: string;
  /** What it must print or change, for the table in the documentation. */
  readonly does: string;
  /** The first kubectl that has it. */
  readonly since?: string;
  /** Whether it may fail or print less at first: figures of containers that have just started come a moment later. */
  readonly patient?: boolean;
  /** What it changes is everyone's (a node): one version after the other. */
  readonly alone?: boolean;
  check(bench: Bench): Promise<void>;
}

export const soloPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'solo', labels: { app: 'solo' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image,
        stdin: true,
        command: [
          'sh',
          '-c',
          'mkdir -p /www; echo page > /www/index.html; httpd -p 8080 -h /www; while read -r line; do echo "said $line"; done',
        ],
      },
    ],
  },
};

/** A row whose command prints something. */
export function prints(command: string, does: string, pattern: RegExp, more: Partial<Row> = {}): Row {
  return {
    command,
    does,
    ...more,
    check: async ({ run }) => {
      if (more.patient === true) {
        await eventually(`${command} prints ${pattern}`, async () => (pattern.test(await run(...words(command))) ? true : undefined));
      }
      expect(await run(...words(command))).toMatch(pattern);
    },
  };
}

/** A command as it is typed: words, some of them in single quotes. */
function words(command: string): string[] {
  return [...command.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));
}

export function file(bench: Bench, name: string, content: object): string {
  const path = join(bench.folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

export const configMap = (name: string, value: string, labels: Record<string, string> = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data: { key: value },
});

/** Starts a kubectl that does not end by itself, waits until it has printed `ready`, and ends it after `use`. */
export async function during(
  bench: Bench,
  args: readonly string[],
  ready: RegExp,
  use: (found: RegExpMatchArray) => Promise<void>,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  let output = '';
  let end: () => void = () => undefined;
  const ended = bench.kubectl.run(['-n', bench.namespace, ...args], {
    timeout: 60_000,
    env,
    onStart: (child) => {
      end = () => void child.kill();
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    },
  });
  try {
    await use(await eventually(`kubectl ${args.join(' ')} is ready`, async () => output.match(ready) ?? undefined));
  } finally {
    end();
    await ended;
  }
}

/** Says words to a kubectl that is attached to a process, which must answer `said WORD`; then ends its input, and with it the kubectl. */
export async function talk(
  { kubectl, namespace }: Bench,
  args: readonly string[],
  spoken: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const child = spawn(kubectl.path, ['-n', namespace, ...args], { env: { ...kubectl.env, ...env }, timeout: 60_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const ended = once(child, 'close');
  await eventually('it is attached', async () => (output.includes('command prompt') ? true : undefined));
  for (const word of spoken) {
    child.stdin.write(`${word}\n`);
    await eventually(`the answer to ${word}`, async () => (output.includes(`said ${word}\n`) ? true : undefined));
  }
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
}

export const text = async (url: string): Promise<string> => await (await fetch(url)).text();

/** A deployment of the row's own. */
export async function deployment(bench: Bench, name: string, replicas = 1): Promise<string> {
  await bench.run('create', 'deployment', name, `--image=${image}`, `--replicas=${replicas}`, '--', 'sleep', '3600');
  if (replicas > 0) await bench.run('rollout', 'status', `deployment/${name}`, '--timeout=60s');
  return `deployment/${name}`;
}

export const field = (bench: Bench, object: string, path: string): Promise<string> => bench.run('get', object, '-o', `jsonpath={${path}}`);
