import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { freePorts } from '../harness/ports.ts';
import { common, Stacks } from '../harness/stacks.ts';

const missing = missingForCluster();
(missing === undefined ? describe : describe.skip)('a Compose file', () => {
  let cluster: TestCluster;
  const stacks = new Stacks(() => cluster);
  let ports: readonly number[] = [];

  beforeAll(async () => {
    ports = await freePorts(4);
    cluster = await startTestCluster({ demoImage: true });
    declareNetworks();
    await stacks.applyAll();
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  test('of each kind is applied and ends as it should', () => {
    expect(stacks.unexpected()).toEqual([]);
  });

  describe('is loaded as Compose does', () => {
    const show = (more = ''): string =>
      `${common}services:\n  show:\n    <<: *c\n    command: ["sh", "-c", "env | sort"]\n    restart: "no"\n${more}`;

    const variables = stacks.declare({
      name: 'variables',
      files: {
        '.env': `TAG=1\nGREETING="hello \${WHO:-world}"\nSHADOWED=dotenv\n`,
        'service.env': 'FROM_FILE=yes\nQUOTED="a b"\nBOTH=file\n',
        'compose.yaml': `name: variables\n${show().replace('hello:1', `hello:\${TAG:?set TAG}`)}    environment:
      PLAIN: \${GREETING}
      DEFAULT: \${UNSET:-fallback}
      ALTERNATIVE: \${TAG:+set}
      DOLLAR: $$HOME
      BOTH: environment
      FROM_SHELL:
      SHADOWED: \${SHADOWED}
    env_file:
      - service.env
      - path: absent.env
        required: false
`,
      },
      env: { FROM_SHELL: 'shell', SHADOWED: 'shell' },
    });

    test('interpolation, .env, env_file, and the shell before all', async () => {
      const lines = (await stacks.logs(`${variables}-show-1`)).split('\n');
      expect(lines).toEqual(
        expect.arrayContaining([
          'PLAIN=hello world',
          'DEFAULT=fallback',
          'ALTERNATIVE=set',
          'DOLLAR=$HOME',
          'FROM_FILE=yes',
          'QUOTED=a b',
          'BOTH=environment',
          'FROM_SHELL=shell',
          'SHADOWED=shell',
        ]),
      );
    });

    stacks.declare({
      name: 'other-env',
      files: {
        '.env': 'A=dotenv\n',
        'one.env': 'A=one\nB=one\n',
        'two.env': 'B=two\n',
        'compose.yaml': show(`    environment: ["A=\${A}", "B=\${B}"]\n`),
      },
      args: ['-f', 'compose.yaml', '--env-file', 'one.env', '--env-file', 'two.env', '-p', 'other-env'],
    });

    test('--env-file in place of .env, and -p', async () => {
      expect(await stacks.logs('other-env-show-1')).toMatch(/^A=one$[\s\S]*^B=two$/m);
    });

    stacks.declare({
      name: 'layers',
      files: {
        'compose.yaml': `name: layers\n${show('    environment: {A: base, B: base}\n')}  extra:\n    <<: *c\n    command: ["sleep", "3600"]\n    profiles: [more]\n  never:\n    <<: *c\n    profiles: [other]\n`,
        'override.yaml': 'services:\n  show:\n    environment: {B: over}\n',
      },
      args: ['-f', 'compose.yaml', '-f', 'override.yaml', '--profile', 'more'],
    });

    test('several files merged, and services of the chosen profiles alone', async () => {
      expect(await stacks.logs('layers-show-1')).toMatch(/^A=base$[\s\S]*^B=over$/m);
      expect((await stacks.pods('layers')).map(({ metadata }) => metadata.name)).toEqual(['layers-extra-1', 'layers-show-1']);
    });

    stacks.declare({
      name: 'folder',
      files: {
        'app/compose.yaml': show('    environment: {A: base}\n'),
        'app/compose.override.yaml': 'services:\n  show:\n    environment: {A: override}\n',
      },
      args: ['-f', 'app', '-p', 'folder'],
    });

    test('a folder: its compose.yaml with the override', async () => {
      expect(await stacks.logs('folder-show-1')).toMatch(/^A=override$/m);
    });

    stacks.declare({
      name: 'piped',
      files: {},
      args: ['-f', '-'],
      input: `name: piped\n${show('    environment: {A: stdin}\n')}`,
      env: {},
    });

    test('stdin', async () => {
      expect(await stacks.logs('piped-show-1')).toMatch(/^A=stdin$/m);
    });

    test('apply ends with what runs and where', () => {
      const { stdout, stderr } = stacks.result('layers');
      expect(stdout).toMatch(
        /^stack\.compose\.berth\.dev\/layers created\n\nStack layers is healthy\.\n\nSERVICE +POD +STATUS +NODE +ADDRESS\nextra +layers-extra-1 +Running +\S+ +10\.42\.\d+\.\d+\n/,
      );
      expect(stderr).toMatch(/^extra: 1\/1 Running$/m);
      // Not a terminal: no colours, nothing that moves.
      expect(stderr + stdout).not.toContain('\u001b');
    });
  });

  describe('gives mounts', () => {
    const mounts = stacks.declare({
      name: 'mounts',
      files: {
        'shared/file.txt': 'from the folder\n',
        'single.conf': 'a single file\n',
        'secret.txt': 'from a file',
        'compose.yaml': `name: mounts
${common}services:
  one:
    <<: *c
    command: ["sh", "-c", "echo written > /data/by-one; exec sleep 3600"]
    volumes:
      - data:/data
      - ./shared:/folder
      - ./single.conf:/etc/single.conf:ro
      - type: tmpfs
        target: /scratch
        tmpfs: {size: 1m}
      - /anonymous
    tmpfs: /run/more:size=64k
    configs:
      - source: inline
        target: /etc/inline
        mode: 0440
      - from-file
      - from-environment
    secrets:
      - from-file
      - source: from-environment
        target: renamed
        mode: 0400
  two:
    <<: *c
    command: ["sh", "-c", "until cat /data/by-one; do sleep 0.1; done; exec sleep 3600"]
    volumes:
      - type: volume
        source: data
        target: /data
        read_only: true
configs:
  inline: {content: "config \${NUMBER}\\n"}
  from-file: {file: ./single.conf}
  from-environment: {environment: TEXT}
secrets:
  from-file: {file: ./secret.txt}
  from-environment: {environment: TEXT}
volumes:
  data:
`,
      },
      env: { NUMBER: '7', TEXT: 'from the environment' },
    });
    const one = `${mounts}-one-1`;

    test('a named volume that two services share, writable for one', async () => {
      await stacks.settles(`${mounts}-two-1`, 'cat /data/by-one', 'written');
      expect(await stacks.run(`${mounts}-two-1`, 'touch /data/x')).toMatchObject({ code: 1, stderr: expect.stringContaining('Read-only') });
    });

    test('binds of a folder and of a file', async () => {
      expect(await stacks.output(one, 'cat /folder/file.txt /etc/single.conf')).toBe('from the folder\na single file');
      await stacks.output(one, 'echo back > /folder/written');
      expect(readFileSync(join(stacks.folder(mounts), 'shared/written'), 'utf8')).toBe('back\n');
      expect((await stacks.run(one, 'echo x > /etc/single.conf')).code).not.toBe(0);
    });

    test('memory with its size, and a volume without a name', async () => {
      expect(await stacks.output(one, "mount | grep -E ' /scratch | /run/more ' | sed 's/.*size=\\([0-9]*k\\).*/\\1/'")).toBe('1024k\n64k');
      expect((await stacks.run(one, 'dd if=/dev/zero of=/scratch/big bs=1M count=2')).stderr).toContain('No space left');
      expect(await stacks.output(one, 'echo x > /anonymous/x && cat /anonymous/x')).toBe('x');
    });

    test('configs by content, file and environment, with target and mode', async () => {
      expect(await stacks.output(one, 'cat /etc/inline /from-file /from-environment')).toBe(
        'config 7\na single file\nfrom the environment',
      );
      expect(await stacks.output(one, 'stat -c %a /etc/inline /from-file')).toBe('440\n444');
    });

    test('secrets by file and environment, in memory, and in no object but Secrets', async () => {
      expect(await stacks.output(one, 'cat /run/secrets/from-file; echo; cat /run/secrets/renamed')).toBe(
        'from a file\nfrom the environment',
      );
      expect(await stacks.output(one, 'stat -c %a /run/secrets/renamed; mount | grep -c "tmpfs.*/run/secrets" || true')).toMatch(/^400\n/);
      expect(await stacks.output(one, "grep ' /run/secrets/from-file ' /proc/mounts")).toMatch(/ tmpfs /);
      expect(await cluster.succeed('get', 'stacks,configmaps,pods,events', '-o', 'yaml')).not.toContain('from a file\n');
    });
  });

  const networks = 'networks';
  function declareNetworks(): void {
    const [all, loopback, range, udp] = ports;
    stacks.declare({
      name: networks,
      files: {
        'compose.yaml': `name: ${networks}
${common}services:
  web:
    <<: *c
    ports:
      - "${all}:80"
      - "127.0.0.1:${loopback}:80"
      - "${range}-${range! + 1}:8001-8002"
      - "80"
      - "${udp}:9999/udp"
    command: ["sh", "-c", "for p in 8001 8002; do mkdir -p /srv/$$p; echo $$p > /srv/$$p/index.html; httpd -p $$p -h /srv/$$p; done; exec httpd -f -p 80 -h /www"]
    networks:
      front: {aliases: [website]}
      back: {}
    deploy: {replicas: 2}
  quiet:
    <<: *c
    command: ["httpd", "-f", "-p", "7000", "-h", "/www"]
    expose: ["7000"]
    networks: [back]
    container_name: the-quiet-one
  apart:
    <<: *c
    command: ["sleep", "3600"]
    networks: [front]
networks:
  front: {}
  back: {}
`,
      },
    });
  }

  describe('gives networks', () => {
    const resolves = async (pod: string, name: string): Promise<boolean> => (await stacks.run(pod, `nslookup ${name}`)).code === 0;

    test('a service by its name, its aliases and its container name, with or without declared ports', async () => {
      const quiet = `${networks}-quiet-1`;
      const [web, apart] = [`${networks}-web-1`, `${networks}-apart-1`];
      await eventually('all listen', async () => {
        await stacks.output(quiet, 'fetch http://web/');
        return (await stacks.run(web, 'fetch http://quiet:7000/')).code === 0 ? true : undefined;
      });
      expect(await stacks.output(quiet, 'fetch http://web/')).toContain('Hello from Berth');
      for (const name of ['website', 'web']) expect(await stacks.output(apart, `fetch http://${name}/`)).toContain('Hello from Berth');
      for (const name of ['quiet', 'the-quiet-one']) expect(await stacks.output(web, `fetch http://${name}:7000/`)).toContain('Hello');
      await stacks.output(web, 'ping -c 1 apart');
      // A name gives the addresses of all replicas.
      expect((await stacks.output(quiet, 'nslookup web')).match(/^Address: 10\.42\.\S+$/gm)).toHaveLength(2);
    });

    test('no name of a service on another network', async () => {
      expect(await resolves(`${networks}-apart-1`, 'web')).toBe(true);
      expect(await resolves(`${networks}-apart-1`, 'quiet')).toBe(false);
      expect(await resolves(`${networks}-quiet-1`, 'apart')).toBe(false);
      expect(await resolves(`${networks}-quiet-1`, 'website')).toBe(false);
      expect(await resolves('mounts-one-1', 'web')).toBe(false);
    });

    const page = async (host: string, port: number, path = '/'): Promise<string> => {
      const response = await fetch(`http://${host}:${port}${path}`, {
        signal: AbortSignal.timeout(20_000),
        headers: { connection: 'close' },
      });
      return await response.text();
    };

    test('published ports, ranges of them, and those of one address', async () => {
      const [all = 0, loopback = 0, range = 0] = ports;
      await eventually('all listen', () => page('127.0.0.1', range + 1));
      expect(await page('127.0.0.1', all)).toContain('Hello from Berth');
      expect(await page('127.0.0.1', loopback)).toContain('Hello from Berth');
      expect([await page('127.0.0.1', range), await page('127.0.0.1', range + 1)]).toEqual(['8001\n', '8002\n']);
      const address = (await stacks.pod(`${networks}-apart-1`)).status?.hostIP ?? '';
      expect(await page(address, all)).toContain('Hello from Berth');
      await expect(page(address, loopback)).rejects.toThrow();
    });

    test('a free port for one of the container alone, told in the status', async () => {
      const given = (await stacks.service(networks, 'web')).ports?.filter(({ target }) => target === 80).map(({ published }) => published);
      const free = given?.find((port) => port !== undefined && !ports.includes(port)) ?? 0;
      expect(free).toBeGreaterThanOrEqual(30_000);
      expect(await eventually('it answers', () => page('127.0.0.1', free))).toContain('Hello from Berth');
      expect(stacks.result(networks).stdout).toContain(`http://127.0.0.1:${ports[0]}`);
    });

    test('UDP: what is sent to the node arrives in a replica', async () => {
      // The image has nothing that listens on UDP: its kernel counts what came for nobody.
      const arrived = async (): Promise<number> => {
        const counts = [1, 2].map(
          async (slot) => await stacks.output(`${networks}-web-${slot}`, "awk '/^Udp: [0-9]/ {print $3}' /proc/net/snmp"),
        );
        return (await Promise.all(counts)).map(Number).reduce((sum, count) => sum + count, 0);
      };
      const before = await arrived();
      const socket = createSocket('udp4');
      try {
        await eventually('it arrives', async () => {
          socket.send('ping', ports[3]!, '127.0.0.1');
          return (await arrived()) > before ? true : undefined;
        });
      } finally {
        socket.close();
      }
    });
  });

  describe('orders and watches its services', () => {
    const order = stacks.declare({
      name: 'order',
      files: {
        'compose.yaml': `name: order
${common}services:
  last:
    <<: *c
    command: ["sh", "-c", "cat /data/log; exec sleep 3600"]
    volumes: [data:/data]
    depends_on:
      prepare: {condition: service_completed_successfully}
      slow: {condition: service_healthy}
      plain: {condition: service_started}
  prepare:
    <<: *c
    command: ["sh", "-c", "sleep 3; echo prepared >> /data/log"]
    volumes: [data:/data]
  slow:
    <<: *c
    command: ["sh", "-c", "sleep 2; touch /tmp/healthy; echo healthy >> /data/log; exec sleep 3600"]
    volumes: [data:/data]
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/healthy"], interval: 1s, retries: 2}
  plain:
    <<: *c
    command: ["sleep", "3600"]
  unhealthy:
    <<: *c
    command: ["sh", "-c", "touch /tmp/healthy; exec sleep 3600"]
    healthcheck: {test: test -e /tmp/healthy, interval: 1s, retries: 1}
volumes: {data: {}}
`,
      },
    });

    test('after what they depend on: completed, healthy, started', async () => {
      const lines = await eventually('it has written', async () => (await stacks.logs(`${order}-last-1`)).trim() || undefined);
      expect(lines.split('\n').toSorted()).toEqual(['healthy', 'prepared']);
      expect(stacks.result(order).stderr).toMatch(/last: 0\/1 Waiting \(waits for prepare to complete\)/);
    });

    test('a health check takes a replica out, and never ends its container', async () => {
      const before = await stacks.containers(order);
      await stacks.output(`${order}-unhealthy-1`, 'rm /tmp/healthy');
      await eventually('unhealthy', async () => ((await stacks.service(order, 'unhealthy')).state === 'Unhealthy' ? true : undefined));
      expect((await stacks.get(order)).status?.phase).toBe('Degraded');
      await stacks.output(`${order}-unhealthy-1`, 'touch /tmp/healthy');
      await eventually('healthy again', async () => ((await stacks.service(order, 'unhealthy')).state === 'Healthy' ? true : undefined));
      expect(await stacks.containers(order)).toEqual(before);
    });

    const restarts = stacks.declare({
      name: 'restarts',
      code: 1,
      files: {
        'compose.yaml': `name: restarts
${common}services:
  never:
    <<: *c
    command: ["sh", "-c", "echo x >> /data/never; exit 4"]
    volumes: [data:/data]
  twice:
    <<: *c
    command: ["sh", "-c", "echo x >> /data/twice; exit 5"]
    volumes: [data:/data]
    restart: on-failure:2
  always:
    <<: *c
    command: ["sh", "-c", "echo x >> /data/always; test $$(wc -l < /data/always) -ge 2 && exec sleep 3600"]
    volumes: [data:/data]
    restart: always
  reader:
    <<: *c
    command: ["sleep", "3600"]
    volumes: [data:/data]
  policy:
    <<: *c
    command: ["sh", "-c", "exit 0"]
    restart: always
    deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}
  blocked:
    <<: *c
    depends_on: {never: {condition: service_completed_successfully}}
volumes: {data: {}}
`,
      },
    });

    test('restart: never, so many times, always; deploy.restart_policy before restart', async () => {
      await eventually(
        'the one that may be restarted twice has failed for good',
        async () => ((await stacks.service(restarts, 'twice')).state === 'Failed' ? true : undefined),
        180_000,
      );
      const lines = await stacks.output(`${restarts}-reader-1`, 'wc -l < /data/never; wc -l < /data/twice; wc -l < /data/always');
      expect(lines.split('\n').map(Number)).toEqual([1, 3, 2]);
      expect(await stacks.service(restarts, 'never')).toMatchObject({
        state: 'Failed',
        message: `${restarts}-never-1 ended with exit code 4`,
      });
      expect(await stacks.service(restarts, 'always')).toMatchObject({ state: 'Running' });
      expect(await stacks.service(restarts, 'policy')).toMatchObject({ state: 'Completed' });
    });

    test('apply says what failed, why, and what to do', () => {
      const { stderr } = stacks.result(restarts);
      expect(stderr).toContain('error: stack restarts failed');
      expect(stderr).toContain('  never: restarts-never-1 ended with exit code 4');
      expect(stderr).toContain('  blocked: waits for never to complete, which failed');
      expect(stderr).toContain('berth logs restarts-never-1. To run it once more: berth delete pod restarts-never-1');
    });
  });

  describe('deploys', () => {
    const deploy = stacks.declare({
      name: 'deploy',
      files: {
        'compose.yaml': `name: deploy
${common}services:
  limited:
    <<: *c
    command: ["sleep", "3600"]
    deploy:
      replicas: 2
      labels: {com.example.owner: team}
      placement: {constraints: ["node.platform.os == linux", "node.hostname != nonsense"]}
      resources:
        limits: {cpus: "0.25", memory: 32M}
        reservations: {cpus: "0.1", memory: 16M}
  scaled:
    <<: *c
    command: ["sleep", "3600"]
    scale: 3
`,
      },
    });

    test('replicas and scale', async () => {
      const names = (await stacks.pods(deploy)).map(({ metadata }) => metadata.name);
      expect(names).toEqual(['deploy-limited-1', 'deploy-limited-2', 'deploy-scaled-1', 'deploy-scaled-2', 'deploy-scaled-3']);
    });

    test('limits as cgroups, reservations as requests, labels on the service', async () => {
      const pod = await stacks.pod('deploy-limited-1');
      expect(pod.spec.containers[0]?.resources).toEqual({
        limits: { cpu: '250m', memory: String(32 * 1024 * 1024) },
        requests: { cpu: '100m', memory: String(16 * 1024 * 1024) },
      });
      const memory = 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes';
      expect(await stacks.output('deploy-limited-1', memory)).toBe(String(32 * 1024 * 1024));
      expect(await cluster.succeed('get', 'service', 'deploy-limited', '-o', 'jsonpath={.metadata.labels}')).toContain(
        '"com.example.owner":"team"',
      );
    });

    const nowhere = stacks.declare({
      name: 'nowhere',
      code: 2,
      files: {
        'compose.yaml': `name: nowhere\n${common}services:\n  big:\n    <<: *c\n    deploy: {resources: {reservations: {cpus: "1000"}}}\n  picky:\n    <<: *c\n    deploy: {placement: {constraints: [node.labels.disk == ssd]}}\n`,
      },
    });

    test('what fits on no node is said with the smallest change that would help, and exit code 2', async () => {
      const { stderr } = stacks.result(nowhere);
      expect(stderr).toContain('pod/nowhere-big-1 fits on no node: 0/1 nodes are available');
      expect(stderr).toMatch(/What would help: .*cpu/);
      const why = await cluster.berth(['why', 'pod/nowhere-picky-1']);
      expect(why.code).toBe(2);
      expect(why.stdout).toMatch(/What would help: .*disk/);
    });
  });

  describe('is shown', () => {
    test('by get, in a table with the health of each', async () => {
      expect(await cluster.succeed('get', 'stacks')).toMatch(/^NAME +SERVICES +STATUS +AGE$/m);
      expect(await cluster.succeed('get', 'stack', 'layers')).toMatch(/^layers +2\/2 +Healthy/m);
    });

    test('by describe, service by service', async () => {
      const text = await cluster.succeed('describe', 'stack', 'order');
      expect(text).toMatch(/^Status: +Healthy$/m);
      expect(text).toMatch(/^ {2}prepare +1\/1 +Completed/m);
      expect(text).toMatch(/^ {2}slow +1\/1 +Healthy +10\.42\./m);
      expect(text).toContain('Created pod order-last-1 of service last');
    });

    test('by kubectl', async () => {
      const { useKubectl } = await import('../harness/kubectl.ts');
      const kubectl = await useKubectl('1.35', cluster.kubeconfig, cluster.home);
      expect(await kubectl.succeed('get', 'stacks', 'order')).toMatch(/^order +5\/5 +Healthy/m);
      expect(await kubectl.succeed('describe', 'stack', 'order')).toContain('Created pod order-last-1 of service last');
    });
  });
});
