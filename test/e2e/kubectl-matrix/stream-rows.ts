/** What takes over a connection, or stands between. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import { during, field, image, type Row, talk, text } from './bench.ts';

export const streamRows: readonly Row[] = [
  {
    command: 'cp FILE POD:PATH, cp POD:PATH FILE',
    does: 'the same bytes there and back',
    check: async (bench) => {
      const [there, back] = [join(bench.folder, 'there'), join(bench.folder, 'back')];
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));
      writeFileSync(there, bytes);
      await bench.run('cp', there, 'solo:/tmp/copied');
      await bench.run('cp', 'solo:/tmp/copied', back);
      expect(readFileSync(back).equals(bytes)).toBe(true);
    },
  },
  {
    command: 'attach -i POD',
    does: 'what is typed reaches the process, what it prints comes back',
    check: async (bench) => {
      await talk(bench, ['attach', '-i', 'solo'], ['one', 'two']);
    },
  },
  {
    command: 'debug POD --image --target',
    does: "an ephemeral container that sees the target's processes",
    check: async (bench) => {
      const script = 'ps | grep httpd; exec sleep 600';
      await bench.run('debug', 'solo', `--image=${image}`, '--target=main', '--container=debugger', '--', 'sh', '-c', script);
      const status = '{.status.ephemeralContainerStatuses[0].state}';
      await bench.run('wait', `--for=jsonpath=${status.replace('state}', 'name}')}=debugger`, 'pod/solo', '--timeout=30s');
      await eventually('it runs', async () =>
        (await field(bench, 'pod/solo', status.slice(1, -1))).includes('running') ? true : undefined,
      );
      await eventually('it has looked', async () =>
        (await bench.run('logs', 'solo', '-c', 'debugger')).includes('httpd -p 8080') ? true : undefined,
      );
      expect(await bench.run('exec', 'solo', '-c', 'debugger', '--', 'cat', '/proc/1/root/www/index.html')).toBe('page\n');
    },
  },
  {
    command: 'debug -i POD --image',
    does: 'is attached to what it started',
    check: async (bench) => {
      const script = 'while read -r line; do echo "said $line"; done';
      await talk(bench, ['debug', '-i', 'solo', `--image=${image}`, '--container=talker', '--', 'sh', '-c', script], ['three']);
    },
  },
  {
    command: 'debug POD --copy-to=NAME --share-processes',
    does: 'a copy of the pod with one more container',
    check: async (bench) => {
      await bench.run(
        'debug',
        'solo',
        `--image=${image}`,
        '--copy-to=copied',
        '--share-processes',
        '--container=more',
        '--',
        'sleep',
        '600',
      );
      await bench.run('wait', '--for=condition=Ready', 'pod/copied', '--timeout=60s');
      expect(await field(bench, 'pod/copied', '.spec.containers[*].name')).toBe('main more');
      await bench.run('delete', 'pod', 'copied', '--grace-period=1', '--wait=false');
    },
  },
  {
    command: 'debug node/NAME --image',
    does: "a pod on the node that sees the node's files",
    check: async (bench) => {
      const output = await bench.run('debug', `node/${bench.node}`, `--image=${image}`, '--', 'ls', '/host/proc/1');
      const name = /pod (\S+) with/.exec(output)?.[1] ?? '';
      await bench.run('wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=60s');
      expect(await bench.run('logs', name)).toMatch(/^cmdline$/m);
      await bench.run('delete', 'pod', name, '--wait=false');
    },
  },
  {
    command: 'port-forward POD :PORT',
    does: 'a local port that reaches the pod',
    check: async (bench) => {
      await during(bench, ['port-forward', 'pod/solo', ':8080'], /127\.0\.0\.1:(\d+)/, async ([, port]) => {
        for (let time = 0; time < 3; time++) expect(await text(`http://127.0.0.1:${port}/`)).toBe('page\n');
      });
    },
  },
  {
    command: 'proxy --port=0',
    does: 'the API on a local port',
    check: async (bench) => {
      await during(bench, ['proxy', '--port=0'], /127\.0\.0\.1:(\d+)/, async ([, port]) => {
        expect(await text(`http://127.0.0.1:${port}/api/v1/namespaces/${bench.namespace}/pods/solo`)).toMatch(/"name":"solo"/);
      });
    },
  },
];
