import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Volume } from '#api/shapes/types/core-v1';
import { volumePlugins } from './index.ts';
import { plainMounter } from './mounter.ts';
import { containerMounts, removePodDirectory, setUpVolumes } from './pod-volumes.ts';
import type { AssignedObjects, MountedVolume } from './volume-plugin.ts';

let folder: string;
let configMap: ConfigMap | undefined;
let claim: PersistentVolumeClaim | undefined;
let persistentVolume: PersistentVolume | undefined;
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'hidden' },
  data: { key: Buffer.from('s3cret').toString('base64') },
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-volumes-'));
  configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { 'app.conf': 'one', other: 'x' } };
  claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', uid: 'claim-1' }, spec: { volumeName: 'pv-1' } };
  persistentVolume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv-1' }, spec: { storageClassName: 'berth-local' } };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const objects: AssignedObjects = {
  configMap: (name) => (name === 'settings' ? configMap : undefined),
  secret: (name) => (name === 'hidden' ? secret : undefined),
  claim: (name) => (name === 'data' ? claim : undefined),
  persistentVolume: () => persistentVolume,
};

function podOf(volumes: Volume[]): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', labels: { app: 'web' } },
    spec: { volumes, containers: [{ name: 'main', image: 'i' }] },
  };
}

async function setUp(...volumes: Volume[]): Promise<Map<string, MountedVolume>> {
  return setUpVolumes({
    plugins: volumePlugins,
    podDirectory: join(folder, 'pod'),
    context: {
      pod: podOf(volumes),
      persistentDirectory: join(folder, 'volumes'),
      objects,
      mounter: plainMounter,
      podAddresses: [],
      hostAddresses: [],
      allocatable: {},
    },
  });
}

const fileOf = async (volume: Volume, name: string): Promise<string> => {
  const mounted = await setUp(volume);
  return readFile(join(mounted.get(volume.name)!.hostPath, name), 'utf8');
};

describe('a volume', () => {
  test('of a config map has its keys as files, read-only, and follows its changes in one step', async () => {
    const volume: Volume = { name: 'v', configMap: { name: 'settings', items: [{ key: 'app.conf', path: 'conf/app', mode: 0o400 }] } };
    expect(await fileOf(volume, 'conf/app')).toBe('one');
    const path = (await setUp(volume)).get('v')!.hostPath;
    expect((await stat(join(path, 'conf/app'))).mode & 0o777).toBe(0o400);
    const before = await readlink(join(path, '..data'));
    configMap = { ...configMap!, data: { 'app.conf': 'two' } };
    expect(await fileOf(volume, 'conf/app')).toBe('two');
    const after = await readlink(join(path, '..data'));
    expect(after).not.toBe(before);
    await setUp(volume);
    expect(await readlink(join(path, '..data'))).toBe(after);
  });

  test('that fails is named with its reason, and holds up no other', async () => {
    const failing: Volume = { name: 'broken', configMap: { name: 'absent' } };
    const good: Volume = { name: 'settings', configMap: { name: 'settings' } };
    await expect(setUp(failing, good, { ...failing, name: 'too' })).rejects.toThrow(
      'MountVolume.SetUp failed for volume "broken" : configmap "absent" not found; MountVolume.SetUp failed for volume "too" : configmap "absent" not found',
    );
    expect(await readFile(join(folder, 'pod/volumes/configMap/settings/app.conf'), 'utf8')).toBe('one');
  });

  test('drops files that are no longer there', async () => {
    const volume: Volume = { name: 'v', configMap: { name: 'settings' } };
    expect(await fileOf(volume, 'other')).toBe('x');
    configMap = { ...configMap!, data: { 'app.conf': 'one' } };
    await expect(fileOf(volume, 'other')).rejects.toThrow('ENOENT');
  });

  test('may project several sources', async () => {
    const volume: Volume = {
      name: 'v',
      projected: {
        sources: [
          { configMap: { name: 'settings' } },
          { secret: { name: 'hidden', items: [{ key: 'key', path: 'secrets/key' }] } },
          { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        ],
      },
    };
    expect([await fileOf(volume, 'app.conf'), await fileOf(volume, 'secrets/key'), await fileOf(volume, 'labels')]).toEqual([
      'one',
      's3cret',
      'app="web"',
    ]);
  });

  test('of a claim is a folder that outlives the pod', async () => {
    const volume: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'data' } };
    const path = (await setUp(volume)).get('v')!.hostPath;
    await writeFile(join(path, 'kept'), 'yes');
    await removePodDirectory(join(folder, 'pod'), plainMounter);
    expect(await fileOf(volume, 'kept')).toBe('yes');
  });

  test.each<[string, Volume]>([
    ['configmap "none" not found', { name: 'v', configMap: { name: 'none' } }],
    ['secret "none" not found', { name: 'v', secret: { secretName: 'none' } }],
    ['configmap "settings" has no key "none"', { name: 'v', configMap: { name: 'settings', items: [{ key: 'none', path: 'x' }] } }],
    ['must be relative', { name: 'v', configMap: { name: 'settings', items: [{ key: 'other', path: '../x' }] } }],
    ['persistentvolumeclaim "none" not found', { name: 'v', persistentVolumeClaim: { claimName: 'none' } }],
    ['does not exist on the node', { name: 'v', hostPath: { path: '/no/such/path', type: 'Directory' } }],
    ['must not contain ".."', { name: 'v', hostPath: { path: '/a/../b' } }],
    ['has type nfs, which this node cannot mount', { name: 'v', nfs: { server: 'a', path: '/b' } }],
    ['"serviceAccountToken" is not provided', { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }],
  ])('that cannot be mounted says why: %s', async (message, volume) => {
    await expect(setUp(volume)).rejects.toThrow(message);
  });

  test('that is not bound yet, or is bound to another, is not mounted', async () => {
    const volume: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'data' } };
    claim = { ...claim!, spec: {} };
    await expect(setUp(volume)).rejects.toThrow('is not bound to a volume yet');
    claim = { ...claim, spec: { volumeName: 'pv-1' } };
    persistentVolume = {
      ...persistentVolume!,
      spec: { storageClassName: 'berth-local', claimRef: { namespace: 'a', name: 'b', uid: 'other' } },
    };
    await expect(setUp(volume)).rejects.toThrow('is bound to another claim, a/b');
  });

  test('that may be missing is empty', async () => {
    const mounted = await setUp(
      { name: 'v', configMap: { name: 'none', optional: true } },
      { name: 'w', secret: { secretName: 'none', optional: true } },
    );
    expect([...mounted.keys()]).toEqual(['v', 'w']);
  });

  test('is empty when it names no type, and open to every user', async () => {
    const path = (await setUp({ name: 'v' })).get('v')!.hostPath;
    expect((await stat(path)).mode & 0o777).toBe(0o777);
    await chmod(path, 0o755);
  });
});

describe('a mount', () => {
  const mount = async (subPath: string, readOnly = false): Promise<string | undefined> => {
    const volumes = new Map([['v', { hostPath: join(folder, 'volume'), readOnly }]]);
    const container = { name: 'main', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/data', subPath }] };
    return (await containerMounts(podOf([]), container, volumes, []))[0]?.hostPath;
  };
  beforeEach(() => mkdir(join(folder, 'volume')));

  test('of a part of a volume makes the folder where it is missing', async () => {
    expect(await mount('a/b')).toBe(join(folder, 'volume/a/b'));
    expect((await stat(join(folder, 'volume/a/b'))).isDirectory()).toBe(true);
    await chmod(join(folder, 'volume'), 0o777);
    await mount('c/d');
    expect((await stat(join(folder, 'volume/c'))).mode & 0o777).toBe(0o777);
  });

  test('never leads out of the volume', async () => {
    await symlink('/etc', join(folder, 'volume/out'));
    await expect(mount('out')).rejects.toThrow('leads out of the volume');
    await expect(mount('out/made')).rejects.toThrow('leads out of the volume');
    await expect(mount('../x')).rejects.toThrow('may not contain ".."');
    await expect(mount('missing', true)).rejects.toThrow('read-only');
  });

  test('of a volume that the pod has not is refused', async () => {
    const container = { name: 'main', image: 'i', volumeMounts: [{ name: 'none', mountPath: '/data' }] };
    await expect(containerMounts(podOf([]), container, new Map(), [])).rejects.toThrow('mounts volume "none"');
  });
});
