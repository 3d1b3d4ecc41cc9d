import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { configMaps, persistentVolumeClaims, persistentVolumes, secrets } from '#api/shapes/resources';
import type { Volume, VolumeMount } from '#api/shapes/types/core-v1';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { openWorkbench, shell, sleeping, specOf, statusOf, type Workbench } from '../harness/workbench.ts';

const missing = missingForCluster();
const namespace = 'default';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

(missing === undefined ? describe : describe.skip)('volumes of pods', () => {
  let cluster: TestCluster;
  let bench: Workbench;
  let socket: Server;

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    bench = await openWorkbench(cluster);
    socket = createServer().listen(join(cluster.home, 'test.sock'));
  });

  afterAll(async () => {
    bench?.close();
    socket?.close();
    await cluster?.stop();
  });

  /** A pod that sleeps, with one volume at /v. */
  const withVolume = (volume: Omit<Volume, 'name'>, mount: Partial<VolumeMount> = {}, script = sleeping) =>
    specOf(shell(script, { volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] }), {
      terminationGracePeriodSeconds: 1,
      volumes: [{ name: 'v', ...volume }],
    });

  const claim = (name: string) =>
    bench.client.create(persistentVolumeClaims, {
      metadata: { name, namespace },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'berth-local', resources: { requests: { storage: '10Mi' } } },
    });

  test.concurrent('emptyDir: on disk and in memory, shared by containers, kept over their restarts, bounded, gone with the pod', async () => {
    const pod = await bench.start(
      'scratch',
      specOf(
        [
          shell('date > /disk/began; [ -e /disk/twice ] && exec sleep 3600; touch /disk/twice; exit 1', {
            volumeMounts: [{ name: 'disk', mountPath: '/disk' }],
          }),
          shell(sleeping, {
            name: 'other',
            volumeMounts: [
              { name: 'disk', mountPath: '/seen', readOnly: true },
              { name: 'memory', mountPath: '/memory' },
            ],
          }),
        ],
        {
          terminationGracePeriodSeconds: 1,
          volumes: [
            { name: 'disk', emptyDir: {} },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
          ],
        },
      ),
    );
    const other = (script: string) => cluster.berth(['exec', '-c', 'other', 'scratch', '--', 'sh', '-c', script]);
    await bench.until(
      'scratch',
      'was restarted and runs',
      (now) => statusOf(now)?.restartCount === 1 && statusOf(now)?.state?.running !== undefined,
    );
    await eventually('both files are there', async () => ((await other('ls /seen')).stdout === 'began\ntwice\n' ? true : undefined));
    expect((await other('touch /seen/x')).stderr).toContain('Read-only file system');
    expect((await other('grep " /memory " /proc/mounts')).stdout).toMatch(/^\S+ \/memory tmpfs .*size=4096k/);
    expect((await other('dd if=/dev/zero of=/memory/large bs=1M count=8')).stderr).toContain('No space left on device');
    await bench.remove('scratch');
    expect(existsSync(join(cluster.home, 'agent/pods', pod.metadata.uid!))).toBe(false);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(pod.metadata.uid);
  });

  test.concurrent('emptyDir on disk beyond its sizeLimit: the pod is evicted, and says why', async () => {
    const spec = withVolume({ emptyDir: { sizeLimit: '2Mi' } }, {}, 'dd if=/dev/zero of=/v/large bs=1M count=4; exec sleep 3600');
    const pod = await bench.finish('swollen', spec);
    expect(pod.status).toMatchObject({
      phase: 'Failed',
      reason: 'Evicted',
      message: 'Usage of EmptyDir volume "v" exceeds the limit "2Mi".',
    });
    await bench.event('swollen', 'Evicted', /exceeds the limit "2Mi"/);
  });

  test.concurrent('hostPath: what its type asks for', async () => {
    const folder = join(cluster.home, 'host');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'from the host\n');
    const good: readonly [string, string, string][] = [
      ['', join(folder, 'plain'), 'echo written > /v/x'],
      ['Directory', folder, 'cat /v/file'],
      ['DirectoryOrCreate', join(folder, 'made/deep'), 'echo written > /v/x'],
      ['File', join(folder, 'file'), 'cat /v'],
      ['FileOrCreate', join(folder, 'fresh'), 'echo written > /v'],
      ['Socket', join(cluster.home, 'test.sock'), 'test -S /v'],
      ['CharDevice', '/dev/null', 'test -c /v'],
    ];
    await Promise.all(
      good.map(async ([type, path, script], index) => {
        const pod = await bench.finish(`host-${index}`, withVolume({ hostPath: { path, type } }, {}, script));
        expect([type, pod.status?.phase]).toEqual([type, 'Succeeded']);
      }),
    );
    expect(await bench.logs('host-3')).toBe('from the host\n');
    expect(readFileSync(join(folder, 'made/deep/x'), 'utf8')).toBe('written\n');
    const bad: readonly [string, string, RegExp][] = [
      ['Directory', join(folder, 'nowhere'), /hostPath type check failed: .*nowhere does not exist/],
      ['Directory', join(folder, 'file'), /hostPath type check failed: .*file is not a directory/],
      ['File', folder, /hostPath type check failed: .* is not a file/],
    ];
    for (const [index, [type, path, message]] of bad.entries()) {
      const name = `host-bad-${index}`;
      await bench.create(name, withVolume({ hostPath: { path, type } }));
      await bench.event(name, 'FailedMount', message);
      expect(statusOf((await bench.find(name))!)?.state?.waiting?.reason).toBe('ContainerCreating');
    }
  });

  test.concurrent('configMap and secret: files with modes, chosen keys, changes seen in place, all at once', async () => {
    await bench.client.create(configMaps, {
      metadata: { name: 'chart', namespace },
      data: { a: 'one', b: 'two' },
      binaryData: { c: base64('three') },
    });
    await bench.client.create(secrets, { metadata: { name: 'code', namespace }, data: { key: base64('s3cret') } });
    await bench.start(
      'files',
      specOf(
        shell(sleeping, {
          volumeMounts: [
            { name: 'all', mountPath: '/all' },
            { name: 'some', mountPath: '/some' },
            { name: 'code', mountPath: '/code' },
            { name: 'all', mountPath: '/etc/one', subPath: 'a' },
            { name: 'none', mountPath: '/none' },
            { name: 'mixed', mountPath: '/mixed' },
          ],
        }),
        {
          terminationGracePeriodSeconds: 1,
          volumes: [
            { name: 'all', configMap: { name: 'chart' } },
            {
              name: 'some',
              configMap: {
                name: 'chart',
                defaultMode: 0o640,
                items: [
                  { key: 'b', path: 'deep/er/b', mode: 0o600 },
                  { key: 'a', path: 'a' },
                ],
              },
            },
            { name: 'code', secret: { secretName: 'code', defaultMode: 0o400 } },
            { name: 'none', configMap: { name: 'nothing', optional: true } },
            {
              name: 'mixed',
              projected: {
                sources: [
                  { configMap: { name: 'chart', items: [{ key: 'a', path: 'a' }] } },
                  { secret: { name: 'code' } },
                  { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
                ],
              },
            },
          ],
        },
      ),
    );
    const sh = (script: string) => bench.exec('files', 'sh', '-c', script);
    expect(await sh('cat /all/a /all/b /all/c; ls /none')).toBe('onetwothree');
    expect(await sh('cd /some; stat -L -c "%a %n" a deep/er/b; ls')).toBe('640 a\n600 deep/er/b\na\ndeep\n');
    expect(await sh('stat -L -c %a /code/key; cat /code/key; grep -c " /code tmpfs" /proc/mounts')).toBe('400\ns3cret1\n');
    expect(await sh('cat /mixed/a /mixed/key /mixed/name; cat /etc/one')).toBe('ones3cretfilesone');
    expect((await bench.tryExec('files', 'sh', '-c', 'touch /all/x')).stderr).toContain('Read-only file system');

    await bench.client.patch(configMaps, { name: 'chart', namespace }, 'merge', { data: { a: 'eins', b: null, d: 'vier' } });
    await bench.client.patch(secrets, { name: 'code', namespace }, 'merge', { data: { key: base64('changed') } });
    const seen = 'cat /all/a /mixed/a /mixed/key /code/key /etc/one; ls /all';
    await eventually('the changes are seen', async () => {
      const now = await sh(seen);
      if (now !== 'einseinschangedchangedonea\nc\nd\n') throw new Error(now);
      return true;
    });
  });

  test.concurrent('a volume that cannot be mounted: the event says which and why, and it goes on once it can', async () => {
    await bench.create('waiting', withVolume({ configMap: { name: 'coming', items: [{ key: 'k', path: 'k' }] } }));
    await bench.event('waiting', 'FailedMount', /^MountVolume\.SetUp failed for volume "v" : configmap "coming" not found$/);
    await bench.client.create(configMaps, { metadata: { name: 'coming', namespace }, data: { other: 'x' } });
    await bench.event('waiting', 'FailedMount', /configmap "coming" has no key "k"/);
    await bench.client.patch(configMaps, { name: 'coming', namespace }, 'merge', { data: { k: 'x' } });
    await bench.until('waiting', 'runs', (now) => statusOf(now)?.ready === true);
    await bench.create('secretless', withVolume({ secret: { secretName: 'lost' } }));
    await bench.event('secretless', 'FailedMount', /secret "lost" not found/);
  });

  test.concurrent('subPath: a folder of a volume, made when it is missing; one that leads outside is refused', async () => {
    const pod = await bench.finish('sub', withVolume({ emptyDir: {} }, { subPath: 'in/side' }, 'echo x > /v/file; ls /v'));
    expect(pod.status?.phase).toBe('Succeeded');
    expect(await bench.logs('sub')).toBe('file\n');
    const expanded = withVolume({ emptyDir: {} }, { subPathExpr: '$(WHO)' }, 'pwd; ls -d /v');
    await bench.finish('sub-expanded', { ...expanded, containers: [{ ...expanded.containers[0]!, env: [{ name: 'WHO', value: 'me' }] }] });
    expect(await bench.logs('sub-expanded')).toBe('/\n/v\n');
    const folder = join(cluster.home, 'host-sub');
    mkdirSync(folder);
    const escaping = specOf(shell(sleeping, { volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'link/etc' }] }), {
      volumes: [{ name: 'v', hostPath: { path: folder } }],
    });
    await bench.finish('sub-link', withVolume({ hostPath: { path: folder } }, {}, 'ln -s / /v/link'));
    await bench.create('sub-escape', escaping);
    const refused = await bench.until(
      'sub-escape',
      'is refused',
      (now) => statusOf(now)?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(statusOf(refused)?.state?.waiting?.message).toMatch(/subPath/);
  });

  test.concurrent('persistentVolumeClaim: outlives pods, is shared by two, is removed with its claim', async () => {
    await claim('hold');
    await bench.start('writer', withVolume({ persistentVolumeClaim: { claimName: 'hold' } }, {}, 'echo cargo > /v/item; exec sleep 3600'));
    const bound = await bench.client.get(persistentVolumeClaims, { name: 'hold', namespace });
    expect(bound.status?.phase).toBe('Bound');
    const folders = (): string[] => (existsSync(join(cluster.home, 'volumes')) ? readdirSync(join(cluster.home, 'volumes')) : []);
    const volume = bound.spec?.volumeName ?? '';
    expect(folders().some((folder) => folder.includes(volume))).toBe(true);
    await bench.start('reader', withVolume({ persistentVolumeClaim: { claimName: 'hold', readOnly: true } }));
    await eventually('what was written is read', async () =>
      (await bench.exec('reader', 'cat', '/v/item')) === 'cargo\n' ? true : undefined,
    );
    await bench.exec('writer', 'sh', '-c', 'echo more >> /v/item');
    expect(await bench.exec('reader', 'cat', '/v/item')).toBe('cargo\nmore\n');
    expect((await bench.tryExec('reader', 'touch', '/v/x')).stderr).toContain('Read-only file system');
    await bench.client.delete(persistentVolumeClaims, { name: 'hold', namespace });
    await bench.remove('writer');
    // In use: the claim stays until the last pod is gone.
    expect(await bench.client.find(persistentVolumeClaims, { name: 'hold', namespace })).toBeDefined();
    expect(await bench.exec('reader', 'cat', '/v/item')).toBe('cargo\nmore\n');
    await bench.remove('reader');
    await eventually('the claim is gone', async () =>
      (await bench.client.find(persistentVolumeClaims, { name: 'hold', namespace })) === undefined ? true : undefined,
    );
    await eventually('its volume is gone', async () =>
      (await bench.client.find(persistentVolumes, { name: volume })) === undefined ? true : undefined,
    );
    await eventually('its data is gone', async () => (folders().some((folder) => folder.includes(volume)) ? undefined : true));
  });

  test.concurrent('persistentVolumeClaim: data are there for the next pod; a pod whose claim is missing says so', async () => {
    await claim('cargo');
    const use = (script: string) => withVolume({ persistentVolumeClaim: { claimName: 'cargo' } }, {}, script);
    await bench.finish('first-trip', use('echo kept > /v/item'));
    await bench.remove('first-trip');
    await bench.finish('second-trip', use('cat /v/item'));
    expect(await bench.logs('second-trip')).toBe('kept\n');
    await bench.create('claimless', withVolume({ persistentVolumeClaim: { claimName: 'missing' } }));
    await bench.event('claimless', 'FailedScheduling', /persistentvolumeclaim "missing" not found/);
    await claim('missing');
    await bench.ready('claimless');
  });

  test.concurrent('fsGroup: volumes belong to the group', async () => {
    const spec = withVolume({ emptyDir: {} }, {}, 'stat -c "%g %a" /v; echo x > /v/file; stat -c %g /v/file');
    await bench.finish('grouped', { ...spec, securityContext: { fsGroup: 2000, runAsUser: 1000 } });
    expect(await bench.logs('grouped')).toBe('2000 2777\n2000\n');
    await bench.client.create(secrets, { metadata: { name: 'group', namespace }, data: { key: base64('x') } });
    const secret = withVolume({ secret: { secretName: 'group', defaultMode: 0o400 } }, {}, 'cat /v/key');
    const pod = await bench.finish('grouped-secret', { ...secret, securityContext: { fsGroup: 2000, runAsUser: 1000 } });
    expect(pod.status?.phase).toBe('Succeeded');
  });
});
