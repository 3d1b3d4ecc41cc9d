import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { common, Stacks } from '../harness/stacks.ts';

const missing = missingForCluster();
(missing === undefined ? describe : describe.skip)('a Compose file', () => {
  let cluster: TestCluster;
  const stacks = new Stacks(() => cluster);

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    await stacks.applyAll();
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  describe('gives a process', () => {
    const service = stacks.declare({
      name: 'process',
      files: {
        'compose.yaml': `name: process
${common}services:
  full:
    <<: *c
    entrypoint: ["sh", "-c", "echo \\"$$0 $$1\\"; exec sleep 3600"]
    command: zero "one two"
    user: guest
    working_dir: /www
    hostname: chosen
    container_name: named
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_RAW, SYS_TIME]
    tty: true
    labels: {com.example.tier: front, com.example.rule: "Host(\`x\`)"}
  numbers:
    <<: *c
    command: ["sleep", "3600"]
    user: "1234:4321"
    group_add: ["777"]
    privileged: true
    pull_policy: never
  listens:
    <<: *c
    command: ["sh", "-c", "read line; echo got $$line; sleep 3600"]
    stdin_open: true
  deaf:
    <<: *c
    command: ["sh", "-c", "read line; echo got end; sleep 3600"]
  stops:
    <<: *c
    stop_grace_period: 20s
    command: ["sh", "-c", "trap 'echo stopping > /data/stopped; exit 0' TERM; while true; do sleep 0.1; done"]
    volumes: [data:/data]
  keeps:
    <<: *c
    command: ["sleep", "3600"]
    volumes: [data:/data]
volumes: {data: {}}
`,
      },
    });

    test('its command and entrypoint as Docker joins them', async () => {
      const text = await eventually('it has written', async () => (await stacks.logs(`${service}-full-1`)).trim() || undefined);
      expect(text).toBe('zero one two');
    });

    test('its user by name and by number, its groups, its working directory and host name', async () => {
      expect(await stacks.output(`${service}-full-1`, 'id -u; id -g; pwd; hostname')).toBe('1000\n1000\n/www\nchosen');
      expect(await stacks.output(`${service}-numbers-1`, 'id -u; id -g; id -G; hostname')).toBe(
        `1234\n4321\n4321 777\n${service}-numbers-1`,
      );
    });

    test('a root file system that is read only', async () => {
      expect(await stacks.run(`${service}-full-1`, 'touch /www/x')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Read-only file system'),
      });
    });

    test('capabilities: none but those added, or all', async () => {
      const bounding = async (pod: string): Promise<bigint> =>
        BigInt(`0x${await stacks.output(pod, "sed -n 's/CapBnd:[[:space:]]*//p' /proc/self/status")}`);
      expect(await bounding(`${service}-full-1`)).toBe((1n << 13n) | (1n << 25n));
      expect(await bounding(`${service}-numbers-1`)).toBeGreaterThan(0x1ffffffffn);
      expect(await bounding(`${service}-keeps-1`)).toBe(0xa80425fbn);
    });

    test('a terminal where it wants one, and a stdin that stays open', async () => {
      expect(await stacks.output(`${service}-full-1`, 'readlink /proc/1/fd/0')).toMatch(/^\/dev\/(pts\/|console)/);
      await eventually('the one without stdin has read its end', async () =>
        (await stacks.logs(`${service}-deaf-1`)).includes('got end') ? true : undefined,
      );
      expect(await stacks.logs(`${service}-listens-1`)).toBe('');
    });

    test('labels, where Kubernetes takes them as such', async () => {
      const { metadata } = await stacks.pod(`${service}-full-1`);
      expect(metadata.labels).toMatchObject({ 'com.example.tier': 'front' });
      expect(metadata.annotations).toMatchObject({ 'com.example.rule': 'Host(`x`)' });
    });

    test('its grace period: SIGTERM is heard and waited for', async () => {
      await cluster.succeed('scale', `stack/${service}`, '--service', 'stops', '--replicas', '0');
      await eventually('it is gone', async () => {
        const pods = await stacks.pods(service);
        return pods.some(({ metadata }) => metadata.name === `${service}-stops-1`) ? undefined : true;
      });
      expect(await stacks.output(`${service}-keeps-1`, 'cat /data/stopped')).toBe('stopping');
      expect((await stacks.pod(`${service}-keeps-1`)).spec.terminationGracePeriodSeconds).toBe(1);
    });
  });
});
