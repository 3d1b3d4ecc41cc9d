/** What takes over a connection, or stands between. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { eventually } from '../../harness/commands.ts';
import { type Bench, during, field, image, type Row, talk, text } from './bench.ts';

const listen = 'while read -r line; do echo "said $line"; done';

export const streamRows: readonly Row[] = [
  ...[true, false].flatMap((overWebSockets): Row[] => {
    const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(overWebSockets), KUBECTL_PORT_FORWARD_WEBSOCKETS: String(overWebSockets) };
    const how = overWebSockets ? 'WebSocket' : 'SPDY';
    const since = overWebSockets ? { since: '1.30' } : {};
    const run = async ({ kubectl, namespace }: Bench, ...args: string[]): Promise<void> => {
      const { code, stdout, stderr } = await kubectl.run(['-n', namespace, ...args], { env });
      expect({ code, output: stdout + stderr }).toMatchObject({ code: 0 });
    };
    return [
      {
        command: `cp FILE POD:PATH, cp POD:PATH FILE (${how})`,
        does: 'the same bytes there and back',
        ...since,
        check: async (bench) => {
          const [there, back] = [join(bench.folder, `there-${how}`), join(bench.folder, `back-${how}`)];
          const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));
          writeFileSync(there, bytes);
          await run(bench, 'cp', there, `solo:/tmp/copied-${how}`);
          await run(bench, 'cp', `solo:/tmp/copied-${how}`, back);
          expect(readFileSync(back).equals(bytes)).toBe(true);
        },
      },
      {
        command: `exec -i POD (${how})`,
        does: 'its input, output and exit code',
        ...since,
        check: async ({ kubectl, namespace }) => {
          const input = 'some text\n'.repeat(20_000);
          const script = 'cat; echo said >&2; exit 7';
          expect(await kubectl.run(['-n', namespace, 'exec', '-i', 'solo', '--', 'sh', '-c', script], { env, input })).toMatchObject({
            code: 7,
            stdout: input,
            stderr: expect.stringContaining('said\n'),
          });
        },
      },
      {
        command: `attach -i POD (${how})`,
        does: 'what is typed reaches the process, what it prints comes back',
        ...since,
        check: async (bench) => {
          await bench.run(
            'run',
            `listener-${how.toLowerCase()}`,
            `--image=${image}`,
            '-i',
            '--restart=Never',
            '--attach=false',
            '--command',
            '--',
            'sh',
            '-c',
            listen,
          );
          await bench.run('wait', '--for=condition=Ready', `pod/listener-${how.toLowerCase()}`, '--timeout=60s');
          await talk(bench, ['attach', '-i', `listener-${how.toLowerCase()}`], ['one', 'two'], env);
          await bench.run('delete', 'pod', `listener-${how.toLowerCase()}`, '--grace-period=1', '--wait=false');
        },
      },
      {
        command: `port-forward POD :PORT (${how})`,
        does: 'a local port that reaches the pod, by several connections',
        ...since,
        check: async (bench) => {
          await during(
            bench,
            ['port-forward', 'pod/solo', ':8080'],
            /127\.0\.0\.1:(\d+)/,
            async ([, port]) => {
              expect(await Promise.all(Array.from({ length: 5 }, () => text(`http://127.0.0.1:${port}/`)))).toEqual(
                Array(5).fill('page\n'),
              );
            },
            env,
          );
        },
      },
    ];
  }),
  {
    command: 'cp DIR POD:PATH, cp POD:PATH DIR',
    does: 'the files in it',
    check: async (bench) => {
      const folder = join(bench.folder, 'tree');
      mkdirSync(join(folder, 'deep/er'), { recursive: true });
      writeFileSync(join(folder, 'top'), 'top');
      writeFileSync(join(folder, 'deep/er/leaf'), 'leaf');
      await bench.run('cp', folder, 'solo:/tmp/tree');
      expect(await bench.run('exec', 'solo', '--', 'cat', '/tmp/tree/deep/er/leaf')).toBe('leaf');
      await bench.run('cp', 'solo:/tmp/tree', join(bench.folder, 'tree-back'));
      expect(readFileSync(join(bench.folder, 'tree-back/deep/er/leaf'), 'utf8')).toBe('leaf');
      expect(readFileSync(join(bench.folder, 'tree-back/top'), 'utf8')).toBe('top');
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
      await talk(bench, ['debug', '-i', 'solo', `--image=${image}`, '--container=talker', '--', 'sh', '-c', listen], ['three']);
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
    command: 'port-forward service/NAME :PORT, port-forward deployment/NAME :PORT',
    does: 'a local port that reaches one of their pods',
    check: async (bench) => {
      await bench.run('expose', 'pod', 'solo', '--name=page', '--port=80', '--target-port=8080');
      const serve = 'mkdir /www; echo deployed > /www/index.html; exec httpd -f -p 8080 -h /www';
      await bench.run('create', 'deployment', 'pages', `--image=${image}`, '--', 'sh', '-c', serve);
      await bench.run('rollout', 'status', 'deployment/pages', '--timeout=60s');
      for (const [target, port, said] of [
        ['service/page', '80', 'page\n'],
        ['deployment/pages', '8080', 'deployed\n'],
      ] as const) {
        await during(bench, ['port-forward', target, `:${port}`], /127\.0\.0\.1:(\d+)/, async ([, local]) => {
          expect(await eventually(`${target} answers`, async () => text(`http://127.0.0.1:${local}/`).catch(() => undefined))).toBe(said);
        });
      }
      await bench.run('delete', 'deployment', 'pages', '--wait=false');
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
