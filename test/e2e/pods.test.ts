import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { configMaps, pods, secrets } from '#api/shapes/resources';
import type { Container, PodSpec } from '#api/shapes/types/core-v1';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { cgroupsOfPod, limitsOf } from '../harness/node-cgroups.ts';
import { openWorkbench, shell, sleeping, specOf, statusOf, type Workbench } from '../harness/workbench.ts';

const missing = missingForCluster();
const namespace = 'default';

(missing === undefined ? describe : describe.skip)('pods on a node', () => {
  let cluster: TestCluster;
  let bench: Workbench;

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    bench = await openWorkbench(cluster);
  });

  afterAll(async () => {
    bench?.close();
    await cluster?.stop();
  });

  /** What a script prints in a pod of its own. */
  async function output(name: string, script: string, container: Partial<Container> = {}, spec: Partial<PodSpec> = {}): Promise<string> {
    const pod = await bench.finish(name, specOf(shell(script, container), spec));
    const text = await bench.logs(name);
    if (pod.status?.phase !== 'Succeeded') throw new Error(`pod ${name} failed: ${text} ${JSON.stringify(pod.status)}`);
    return text;
  }

  test.concurrent('environment: values, $(NAME), fields, resources, config maps and secrets', async () => {
    await bench.client.create(configMaps, { metadata: { name: 'ship', namespace }, data: { color: 'blue', shape: 'round' } });
    await bench.client.create(secrets, { metadata: { name: 'safe', namespace }, data: { code: Buffer.from('s3cret').toString('base64') } });
    const field = (fieldPath: string) => ({ fieldRef: { fieldPath } });
    await bench.finish('environment', {
      ...specOf({
        name: 'main',
        image: 'berth.local/hello:1',
        command: ['sh', '-c', 'echo "said: $0 $1 $2"; env', '$(SECOND)', '$$(FIRST)', '$(NOWHERE)'],
        resources: { requests: { cpu: '50m', memory: '8Mi' }, limits: { cpu: '1500m', memory: '64Mi' } },
        envFrom: [{ configMapRef: { name: 'ship' }, prefix: 'SHIP_' }, { secretRef: { name: 'safe' } }],
        env: [
          { name: 'FIRST', value: 'one' },
          { name: 'SECOND', value: '$(FIRST) and two' },
          { name: 'ESCAPED', value: '$$(FIRST)' },
          { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'ship', key: 'color' } } },
          { name: 'CODE', valueFrom: { secretKeyRef: { name: 'safe', key: 'code' } } },
          { name: 'ABSENT', valueFrom: { configMapKeyRef: { name: 'nothing', key: 'x', optional: true } } },
          { name: 'NAME', valueFrom: field('metadata.name') },
          { name: 'NAMESPACE', valueFrom: field('metadata.namespace') },
          { name: 'POD_UID', valueFrom: field('metadata.uid') },
          { name: 'LABEL', valueFrom: field("metadata.labels['sail']") },
          { name: 'NODE', valueFrom: field('spec.nodeName') },
          { name: 'POD_IP', valueFrom: field('status.podIP') },
          { name: 'HOST_IP', valueFrom: field('status.hostIP') },
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
          { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'requests.memory', divisor: '1Mi' } } },
        ],
      }),
    });
    const pod = (await bench.find('environment'))!;
    const lines = (await bench.logs('environment')).split('\n');
    expect(lines[0]).toBe('said: one and two $(FIRST) $(NOWHERE)');
    expect(lines).toEqual(
      expect.arrayContaining([
        'ESCAPED=$(FIRST)',
        'SHIP_color=blue',
        'SHIP_shape=round',
        'code=s3cret',
        'KEY=blue',
        'CODE=s3cret',
        'NAME=environment',
        `NAMESPACE=${namespace}`,
        `POD_UID=${pod.metadata.uid}`,
        'LABEL=',
        `NODE=${pod.spec.nodeName}`,
        `POD_IP=${pod.status?.podIP}`,
        `HOST_IP=${pod.status?.hostIP}`,
        'CPU=2',
        'MEMORY=8',
        expect.stringMatching(/^KUBERNETES_SERVICE_HOST=\d+\./),
      ]),
    );
    expect(lines.filter((line) => line.startsWith('ABSENT='))).toEqual([]);
  });

  test.concurrent('a config map that is missing holds the container, says so, and lets it go when it comes', async () => {
    await bench.create('waits', specOf(shell('echo $GREETING; exec sleep 3600', { envFrom: [{ configMapRef: { name: 'late' } }] })));
    const pod = await bench.until(
      'waits',
      'says what it waits for',
      (now) => statusOf(now)?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(statusOf(pod)?.state?.waiting?.message).toBe('configmap "late" not found');
    await bench.event('waits', 'Failed', /^Error: configmap "late" not found$/);
    await bench.client.create(configMaps, { metadata: { name: 'late', namespace }, data: { GREETING: 'ahoy' } });
    await bench.until('waits', 'runs', (now) => statusOf(now)?.ready === true);
    await bench.says('waits', 'ahoy\n');
    await bench.create(
      'waits-key',
      specOf(shell(sleeping, { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'late', key: 'nokey' } } }] })),
    );
    const keyless = await bench.until(
      'waits-key',
      'says which key',
      (now) => statusOf(now)?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(statusOf(keyless)?.state?.waiting?.message).toMatch(/key nokey in ConfigMap default\/late/);
  });

  test.concurrent('resources become cgroups of container and pod, which go with the pod', async () => {
    const pod = await bench.start(
      'bounded',
      specOf(
        [
          shell(sleeping, { resources: { limits: { cpu: '250m', memory: '64Mi' } } }),
          shell(sleeping, { name: 'other', resources: { requests: { cpu: '100m' }, limits: { cpu: '500m', memory: '32Mi' } } }),
        ],
        { terminationGracePeriodSeconds: 1 },
      ),
    );
    const { uid = '' } = pod.metadata;
    const idOf = (name: string) => statusOf(pod, name)?.containerID?.split('//')[1];
    expect(pod.status?.qosClass).toBe('Burstable');
    expect(limitsOf(uid, idOf('main'))).toEqual({ memoryBytes: 64 << 20, milliCpu: 250 });
    expect(limitsOf(uid, idOf('other'))).toEqual({ memoryBytes: 32 << 20, milliCpu: 500 });
    expect(limitsOf(uid)).toEqual({ memoryBytes: 96 << 20, milliCpu: 750 });
    await bench.remove('bounded');
    expect(cgroupsOfPod(uid)).toEqual([]);
  });

  test.concurrent('a container that takes more memory than it may have is OOMKilled', async () => {
    const pod = await bench.finish('greedy', specOf(shell('exec tail /dev/zero', { resources: { limits: { memory: '16Mi' } } })));
    expect(pod.status?.phase).toBe('Failed');
    expect(statusOf(pod)?.state?.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    const child = await bench.finish(
      'greedy-child',
      specOf(shell('tail /dev/zero; exit 5', { resources: { limits: { memory: '16Mi' } } })),
    );
    expect(statusOf(child)?.state?.terminated).toMatchObject({ exitCode: 5, reason: 'OOMKilled' });
  });

  test.concurrent('user, groups, capabilities, a root that cannot be written, no new privileges', async () => {
    const security = { runAsUser: 1000, runAsGroup: 3000, supplementalGroups: [4000], fsGroup: 2000 };
    expect(await output('user', 'id -u; id -g; id -G', {}, { securityContext: security })).toMatch(
      /^1000\n3000\n3000 (4000 2000|2000 4000)\n$/,
    );
    const capabilities = 'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status; touch /here 2>&1 || echo refused';
    const tight = {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    };
    const lines = await output('tight', capabilities, { securityContext: tight });
    expect(lines).toMatch(/CapEff:\s+0000000000000400\n/);
    expect(lines).toMatch(/NoNewPrivs:\s+1\n/);
    expect(lines).toContain('Read-only file system\nrefused\n');
    const privileged = await output('privileged', 'mkdir /m && mount -t tmpfs none /m && echo mounted; ls /dev | wc -l', {
      securityContext: { privileged: true },
    });
    expect(privileged).toMatch(/^mounted\n/);
  });

  test.concurrent('runAsNonRoot refuses an image that would run as root, and lets another user through', async () => {
    await bench.create('rooted', specOf(shell(sleeping), { securityContext: { runAsNonRoot: true } }));
    const pod = await bench.until('rooted', 'is refused', (now) => statusOf(now)?.state?.waiting?.reason === 'CreateContainerConfigError');
    expect(statusOf(pod)?.state?.waiting?.message).toMatch(/container has runAsNonRoot and image will run as root/);
    expect(await output('unrooted', 'id -u', {}, { securityContext: { runAsNonRoot: true, runAsUser: 1000 } })).toBe('1000\n');
  });

  test.concurrent('the network and the processes of the host, and processes shared in a pod', async () => {
    const pod = await bench.start('on-host', specOf(shell(sleeping), { hostNetwork: true, hostPID: true }));
    expect(pod.status?.podIP).toBe(pod.status?.hostIP);
    expect(await bench.exec('on-host', 'cat', '/proc/net/dev')).toMatch(/cni-/);
    expect((await bench.exec('on-host', 'cat', '/proc/1/comm')).trim()).not.toBe('sleep');
    await bench.start(
      'shared',
      specOf([shell('exec sleep 3601', { name: 'one' }), shell('exec sleep 3602', { name: 'two' })], { shareProcessNamespace: true }),
    );
    const processes = await bench.exec('shared', 'ps', '-o', 'args');
    expect(processes).toContain('/pause');
    expect(processes).toContain('sleep 3601');
    expect(processes).toContain('sleep 3602');
  });

  test.concurrent('hostname, hosts file, resolver', async () => {
    const node = await bench.start(
      'named',
      specOf(shell(sleeping), {
        hostname: 'boat',
        subdomain: 'harbour',
        hostAliases: [{ ip: '192.0.2.7', hostnames: ['light', 'house'] }],
      }),
    );
    expect(await bench.exec('named', 'hostname')).toBe('boat\n');
    const hosts = await bench.exec('named', 'cat', '/etc/hosts');
    expect(hosts).toContain(`${node.status?.podIP}\tboat.harbour.default.svc.cluster.local\tboat`);
    expect(hosts).toContain('192.0.2.7\tlight\thouse');
    const resolver = await bench.exec('named', 'cat', '/etc/resolv.conf');
    expect(resolver).toMatch(/^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/m);
    expect(resolver).toMatch(/^options ndots:5$/m);
    const own = await output(
      'resolver',
      'cat /etc/resolv.conf',
      {},
      {
        dnsPolicy: 'None',
        dnsConfig: {
          nameservers: ['192.0.2.53'],
          searches: ['port.example'],
          options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
        },
      },
    );
    expect(own).toBe('search port.example\nnameserver 192.0.2.53\noptions ndots:2 rotate\n');
    const host = await output('resolver-default', 'cat /etc/resolv.conf', {}, { dnsPolicy: 'Default' });
    expect(host).not.toContain('cluster.local');
  });

  test.concurrent('a working directory, a kernel setting', async () => {
    expect(await output('there', 'pwd', { workingDir: '/www' })).toBe('/www\n');
    const setting = { securityContext: { sysctls: [{ name: 'net.ipv4.ip_local_port_range', value: '40000 40100' }] } };
    expect((await output('setting', 'cat /proc/sys/net/ipv4/ip_local_port_range', {}, setting)).trim()).toMatch(/^40000\s+40100$/);
  });

  test.concurrent('a user that the image does not know, a name as long as names may be', async () => {
    await bench.create('stranger', specOf(shell(sleeping, { berth: { user: 'stranger' } })));
    const pod = await bench.until('stranger', 'says so', (now) => statusOf(now)?.state?.waiting?.reason === 'CreateContainerError');
    expect(statusOf(pod)?.state?.waiting?.message).toMatch(/^the image has no user "stranger" in its \/etc\/passwd/);
    expect(await output('guest', 'id -un', { berth: { user: 'guest' } })).toBe('guest\n');
    expect(await output('a'.repeat(253), 'hostname | wc -c')).toBe('64\n');
  });

  test.concurrent('a pod that has ended keeps its log, and nothing of the node but that', async () => {
    const { metadata } = await bench.finish(
      'ended',
      specOf(shell('echo said', { volumeMounts: [{ name: 'v', mountPath: '/v' }] }), {
        volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }],
      }),
    );
    await eventually('its cgroup is gone', async () => (cgroupsOfPod(metadata.uid!).length === 0 ? true : undefined));
    await eventually('its volume is unmounted', async () =>
      readFileSync('/proc/self/mounts', 'utf8').includes(metadata.uid!) ? undefined : true,
    );
    expect(await bench.logs('ended')).toBe('said\n');
  });

  test.concurrent('a command that does not exist, a working directory that is none', async () => {
    await bench.create('no-command', specOf({ ...shell(''), command: ['/no/such/command'] }));
    const pod = await bench.until('no-command', 'says so', (now) => statusOf(now)?.state?.waiting?.reason === 'RunContainerError');
    expect(statusOf(pod)?.state?.waiting?.message).toBe(
      'failed to start container "main": exec: "/no/such/command": stat /no/such/command: no such file or directory',
    );
    await bench.event('no-command', 'Failed', /exec: "\/no\/such\/command"/);
    const never = await bench.finish('no-command-once', specOf({ ...shell(''), command: ['nonesuch'] }));
    expect(never.status?.phase).toBe('Failed');
    expect(statusOf(never)?.state?.terminated).toMatchObject({
      exitCode: 128,
      reason: 'StartError',
      message: expect.stringContaining('"nonesuch"'),
    });
    await bench.create('no-folder', specOf(shell(sleeping, { workingDir: '/etc/passwd' })));
    const folder = await bench.until('no-folder', 'says so', (now) => statusOf(now)?.state?.waiting?.reason === 'RunContainerError');
    expect(statusOf(folder)?.state?.waiting?.message).toMatch(/\/etc\/passwd: not a directory/);
  });

  test.concurrent.each([
    ['spec.hostUsers', { hostUsers: false }],
    ['spec.runtimeClassName', { runtimeClassName: 'gvisor' }],
    ['spec.containers[0].volumeDevices', specOf(shell(sleeping, { volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }))],
    ['spec.volumes[0].nfs', { volumes: [{ name: 'v', nfs: { server: 'a', path: '/' } }] }],
    ['spec.containers[0].lifecycle.stopSignal', specOf(shell(sleeping, { lifecycle: { stopSignal: 'SIGINT' } }))],
  ])('%s is refused by its path', async (path, spec) => {
    const draft = { metadata: { name: 'refused', namespace }, spec: { ...specOf(shell(sleeping)), ...spec } };
    await expect(bench.client.create(pods, draft)).rejects.toMatchObject({
      code: 422,
      message: expect.stringContaining(`${path}: Forbidden: not supported by Berth: `),
    });
  });
});
