/**
 * Everything that may end, ended: what runs goes on, nothing is started anew that need not be, and all is said rightly afterwards. The tests go in order, over
 * one cluster.
 */
import { execFileSync } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { networkLayout } from '#agent/network/network-layout';
import { nodes, pods, secrets, services } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { codeOf } from '#base/errors';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { cgroupsOfPod, processesOf, runningContainersOf } from '../harness/node-cgroups.ts';
import { isReady, openWorkbench, shell, sleeping, specOf, statusOf, type Workbench } from '../harness/workbench.ts';

const missing = missingForCluster();
const namespace = 'default';

/** Ends when /tmp/end is there. */
const mortal = 'while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 7';
const serving = 'mkdir /srv; hostname > /srv/who; exec httpd -f -p 80 -h /srv';

(missing === undefined ? describe : describe.skip)('faults', () => {
  let cluster: TestCluster;
  let bench: Workbench;
  let address: string;
  let nameServer: string;

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    bench = await openWorkbench(cluster);
    const [node] = (await bench.client.list(nodes)).items;
    nameServer = (node?.spec?.podCIDR ?? '').replace(/\.0\/\d+$/, '.1');
    const probe = { exec: { command: ['test', '!', '-e', '/tmp/sick'] }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 60 };
    await Promise.all([
      bench.start('steady', specOf(shell(serving), { terminationGracePeriodSeconds: 1 }), { labels: { app: 'steady' } }),
      bench.start('mortal', specOf(shell(mortal), { terminationGracePeriodSeconds: 1 })),
      bench.start('probed', specOf(shell(sleeping, { livenessProbe: probe }), { terminationGracePeriodSeconds: 0 })),
      bench.finish('done', specOf(shell('echo done'))),
      stowed(),
    ]);
    const service = await bench.client.create(services, {
      metadata: { name: 'steady', namespace },
      spec: { selector: { app: 'steady' }, ports: [{ port: 80 }] },
    });
    address = service.spec.clusterIP ?? '';
    await eventually('the service answers', ask);
  });

  afterAll(async () => {
    bench?.close();
    await cluster?.stop();
  });

  async function ask(): Promise<string> {
    const response = await fetch(`http://${address}/who`, { signal: AbortSignal.timeout(20_000), headers: { connection: 'close' } });
    return (await response.text()).trim();
  }

  /** Has what lives in memory alone: a secret, and a file that it wrote itself. */
  async function stowed(): Promise<void> {
    await bench.client.create(secrets, { metadata: { name: 'code', namespace }, data: { key: Buffer.from('s3cret').toString('base64') } });
    const volumeMounts = [
      { name: 'code', mountPath: '/code' },
      { name: 'memory', mountPath: '/memory' },
    ];
    const volumes = [
      { name: 'code', secret: { secretName: 'code' } },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
    ];
    const script = 'date > /memory/began; exec sleep 3600';
    await bench.start('stowed', specOf(shell(script, { volumeMounts }), { terminationGracePeriodSeconds: 0, volumes }));
  }

  const get = (name: string): Promise<Pod> => bench.client.get(pods, { name, namespace });
  const idOf = (pod: Pod): string => statusOf(pod)?.containerID?.split('//')[1] ?? '';

  /** Container, restarts and phase of every pod. */
  async function picture(): Promise<Record<string, string>> {
    const { items } = await bench.client.list(pods, { namespace });
    return Object.fromEntries(
      items.map((pod) => [pod.metadata.name ?? '', `${idOf(pod)} ${statusOf(pod)?.restartCount} ${pod.status?.phase} ${isReady(pod)}`]),
    );
  }

  /** Containers and restarts never go back; what is ready may be told a moment later. */
  const untilPicture = (wanted: Record<string, string>): Promise<boolean> =>
    eventually('all is as it was', async () => {
      expect(await picture()).toEqual(wanted);
      return true;
    });

  const started = async (): Promise<number> => {
    const told = await Promise.all(['steady', 'mortal', 'probed', 'done'].map((name) => bench.eventsOf(name)));
    return told.flat().reduce((sum, { reason, count = 1 }) => sum + (reason === 'Started' ? count : 0), 0);
  };

  const nodeIsReady = (): Promise<true> =>
    eventually('the node is ready', async () => {
      const [node] = (await bench.client.list(nodes)).items;
      return node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True' ? true : undefined;
    });

  /** Does something inside of a container without asking anyone. */
  function touchInside(uid: string, containerId: string, file: string): void {
    const [pid] = processesOf(uid, containerId);
    writeFileSync(join('/proc', String(pid), 'root', file), '');
  }

  test.each(['agent', 'containerd', 'server', 'up'] as const)('kill -9 of %s: all goes on, nothing is started again', async (part) => {
    const [before, count, pid] = [await picture(), await started(), cluster.pid(part)];
    const stowage = await bench.exec('stowed', 'cat', '/code/key', '/memory/began');
    await cluster.kill(part);
    expect(await ask()).toBe('steady');
    if (part === 'up') await cluster.up();
    else await eventually(`another ${part} runs`, async () => (cluster.pid(part) === pid ? undefined : true), 120_000);
    await nodeIsReady();
    expect(await eventually('a command runs in a pod', () => bench.exec('steady', 'cat', '/srv/who'))).toBe('steady\n');
    await untilPicture(before);
    expect(await started()).toBe(count);
    expect(await ask()).toBe('steady');
    expect(await bench.exec('stowed', 'cat', '/code/key', '/memory/began')).toBe(stowage);
    await bench.start(`after-${part}`, specOf(shell(sleeping)));
    await bench.remove(`after-${part}`);
  });

  test('berth down and up again: containers go on', async () => {
    const [before, count] = [await picture(), await started()];
    expect(await cluster.berth(['down'])).toMatchObject({ code: 0 });
    expect(await ask()).toBe('steady');
    await cluster.up();
    await nodeIsReady();
    await untilPicture(before);
    expect(await started()).toBe(count);
  });

  test.each(['agent', 'containerd', 'server'] as const)(
    'kill -9 of %s while pods start and stop: each runs once in the end, and goes without a trace',
    async (part) => {
      const names = ['one', 'two', 'three', 'four'];
      const pid = cluster.pid(part);
      const spec = specOf(shell(sleeping), { terminationGracePeriodSeconds: 1 });
      const made = await Promise.all(names.map((name) => bench.create(name, spec)));
      const uids = made.map(({ metadata }) => metadata.uid ?? '');
      // As soon as the first has a cgroup, the runtime is at work.
      await eventually('they begin', async () => (uids.some((uid) => cgroupsOfPod(uid).length > 0) ? true : undefined), 60_000, 5);
      await cluster.kill(part);
      await eventually(`another ${part} runs`, async () => (cluster.pid(part) === pid ? undefined : true), 120_000);
      for (const name of names) await eventually(`${name} is ready`, () => bench.ready(name), 120_000);
      for (const uid of uids) expect(runningContainersOf(uid)).toHaveLength(2);
      const again = cluster.pid(part);
      await Promise.all(names.map((name) => bench.client.delete(pods, { name, namespace })));
      await cluster.kill(part);
      await eventually(`another ${part} runs`, async () => (cluster.pid(part) === again ? undefined : true), 120_000);
      for (const name of names)
        await eventually(`${name} is gone`, async () => ((await bench.find(name)) === undefined ? true : undefined), 120_000);
      for (const uid of uids) expect(cgroupsOfPod(uid)).toEqual([]);
    },
  );

  test('kill -9 of a shim: its pod is made anew, the others stay', async () => {
    const before = await picture();
    const pod = await bench.start('shimless', specOf(shell(sleeping), { terminationGracePeriodSeconds: 1 }));
    const [pid] = processesOf(pod.metadata.uid!, idOf(pod));
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    expect(readFileSync(`/proc/${parent}/cmdline`, 'utf8')).toContain('containerd-shim');
    process.kill(parent, 'SIGKILL');
    const again = await bench.until('shimless', 'runs again', (now) => isReady(now) && idOf(now) !== idOf(pod));
    expect(statusOf(again)).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 255 } } });
    expect(await bench.exec('shimless', 'echo', 'here')).toBe('here\n');
    await bench.remove('shimless');
    await eventually('nothing of it is left', async () => (cgroupsOfPod(pod.metadata.uid!).length === 0 ? true : undefined));
    await untilPicture(before);
  });

  test('without a server: restarts, probes, names and services go on; afterwards all statuses are right', async () => {
    const [steady, dying, probed] = await Promise.all(['steady', 'mortal', 'probed'].map(get));
    await cluster.kill('up');
    await cluster.kill('server');
    touchInside(dying!.metadata.uid!, idOf(dying!), '/tmp/end');
    touchInside(probed!.metadata.uid!, idOf(probed!), '/tmp/sick');
    for (const pod of [dying!, probed!]) {
      const { uid = '', name = '' } = pod.metadata;
      await eventually(`${name} was restarted`, async () => {
        const running = runningContainersOf(uid);
        return running.length === 2 && !running.includes(idOf(pod)) ? true : undefined;
      });
    }
    expect(await ask()).toBe('steady');
    const names = new Resolver({ timeout: 20_000, tries: 1 });
    names.setServers([nameServer]);
    expect(await names.resolve4('steady.default.svc.cluster.local')).toEqual([address]);

    await cluster.up();
    const after = await bench.until('mortal', 'is told of', (now) => statusOf(now)?.restartCount === 1 && isReady(now));
    expect(statusOf(after)?.lastState?.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    const healed = await bench.until('probed', 'is told of', (now) => statusOf(now)?.restartCount === 1 && isReady(now));
    expect(statusOf(healed)?.lastState?.terminated).toMatchObject({ exitCode: 137 });
    await bench.event('probed', 'Killing', /failed liveness probe/);
    expect(idOf(await get('steady'))).toBe(idOf(steady!));
    expect((await get('done')).status?.phase).toBe('Succeeded');
  });

  test('without an agent: what runs goes on; what was made and deleted meanwhile is seen to afterwards', async () => {
    const [leaving, forced] = await Promise.all(
      ['leaving', 'forced'].map((name) => bench.start(name, specOf(shell(sleeping), { terminationGracePeriodSeconds: 1 }))),
    );
    await cluster.kill('up');
    await cluster.kill('agent');
    await bench.client.delete(pods, { name: 'leaving', namespace });
    await bench.client.delete(pods, { name: 'forced', namespace }, { gracePeriodSeconds: 0 });
    await bench.create('coming', specOf(shell(sleeping), { terminationGracePeriodSeconds: 1 }));
    await bench.until('coming', 'has a node', ({ spec }) => spec.nodeName !== undefined);
    expect(await ask()).toBe('steady');
    expect((await bench.find('leaving'))?.metadata.deletionTimestamp).toBeDefined();
    expect(await bench.find('forced')).toBeUndefined();
    const dying = await get('mortal');
    touchInside(dying.metadata.uid!, idOf(dying), '/tmp/end');
    await eventually('it has ended', async () => (processesOf(dying.metadata.uid!, idOf(dying)).length === 0 ? true : undefined));
    for (const pod of [leaving!, forced!]) expect(processesOf(pod.metadata.uid!, idOf(pod)).length).toBeGreaterThan(0);
    await cluster.up();
    await bench.ready('coming');
    const again = await bench.until('mortal', 'runs again', (now) => isReady(now) && idOf(now) !== idOf(dying));
    expect(statusOf(again)).toMatchObject({ restartCount: 2, lastState: { terminated: { exitCode: 7 } } });
    await eventually('the deleted one is gone', async () => ((await bench.find('leaving')) === undefined ? true : undefined));
    for (const pod of [leaving!, forced!])
      await eventually('nothing of it is left', async () => (cgroupsOfPod(pod.metadata.uid!).length === 0 ? true : undefined));
    await bench.remove('coming');
  });

  test('an older store under a running agent is refused, and no container stops', async () => {
    const folder = join(cluster.home, 'server');
    const store = (): string[] => readdirSync(folder).filter((name) => name.startsWith('store.'));
    const aside = (to: string): void => {
      for (const name of store()) cpSync(join(folder, name), join(cluster.home, to, name));
    };
    const replace = (from: string): void => {
      for (const name of store()) rmSync(join(folder, name));
      for (const name of readdirSync(join(cluster.home, from))) cpSync(join(cluster.home, from, name), join(folder, name));
    };
    expect(store()).toContain('store.db');
    await cluster.kill('up');
    await cluster.kill('server');
    aside('older');
    await cluster.up();
    const newer = await bench.start('newer', specOf(shell(sleeping), { terminationGracePeriodSeconds: 1 }));
    const before = await picture();
    await cluster.kill('up');
    await cluster.kill('server');
    aside('newest');
    replace('older');
    await cluster.up();
    await eventually('the node says that it refuses', async () => {
      const [node] = (await bench.client.list(nodes)).items;
      const told = await bench.eventsOf(node?.metadata.name ?? '');
      return told.some(({ reason }) => reason === 'AssignmentsRefused') ? true : undefined;
    });
    expect(await bench.find('newer')).toBeUndefined();
    // A change of the older store would have stopped what it does not know.
    await bench.create('never', specOf(shell(sleeping)));
    await bench.until('never', 'has a node', ({ spec }) => spec.nodeName !== undefined);
    await eventually('some time has passed', async () => ((await bench.event('never', 'Scheduled')) === undefined ? undefined : true));
    expect(processesOf(newer.metadata.uid!, idOf(newer)).length).toBeGreaterThan(0);
    expect(await ask()).toBe('steady');
    await cluster.kill('up');
    await cluster.kill('server');
    replace('newest');
    await cluster.up();
    await nodeIsReady();
    await untilPicture(before);
    await bench.remove('newer');
  });

  test('the machine is started anew: pods run again, those that had ended stay ended', async () => {
    const before = await picture();
    await reboot();
    await cluster.up();
    // The others have crashed before, and wait for their back-off.
    for (const name of ['steady', 'stowed']) {
      const pod = await bench.until(name, 'runs again', (now) => isReady(now) && idOf(now) !== before[name]?.split(' ')[0]);
      expect([name, statusOf(pod)?.restartCount]).toEqual([name, Number(before[name]?.split(' ')[1]) + 1]);
    }
    await eventually('the service answers', ask);
    expect(await bench.exec('stowed', 'cat', '/code/key')).toBe('s3cret');
    expect((await get('done')).status).toMatchObject({ phase: 'Succeeded', containerStatuses: [{ restartCount: 0 }] });
    await bench.start('fresh', specOf(shell(sleeping), { terminationGracePeriodSeconds: 1 }));
    await bench.remove('fresh');
  });

  test('nothing is left in the end', async () => {
    const all = (await bench.client.list(pods, { namespace })).items;
    bench.close();
    expect(await cluster.stop()).toMatchObject({ code: 0 });
    expect(existsSync(cluster.home)).toBe(false);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(cluster.home);
    expect(processesNaming(cluster.home)).toEqual([]);
    for (const { metadata } of all) expect(cgroupsOfPod(metadata.uid!)).toEqual([]);
    const { bridge, table } = networkLayout(cluster.home);
    expect(execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' })).not.toContain(bridge);
    expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).not.toContain(table);
  });

  /** As when the power goes: every process, mount, cgroup and all that the kernel had of the network; only the disk stays. */
  async function reboot(): Promise<void> {
    const uids = (await bench.client.list(pods, { namespace })).items.map(({ metadata }) => metadata.uid ?? '');
    for (const part of ['up', 'agent', 'server', 'containerd'] as const) await cluster.kill(part);
    for (const pid of processesNaming(cluster.home)) killNow(pid);
    for (const uid of uids) for (const id of runningContainersOf(uid)) for (const pid of processesOf(uid, id)) killNow(pid);
    await eventually('every process has ended', async () => {
      return processesNaming(cluster.home).length === 0 && uids.every((uid) => runningContainersOf(uid).length === 0) ? true : undefined;
    });
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of mounts.filter((path) => path.startsWith(`${cluster.home}/`)).toReversed())
      execFileSync('umount', ['--lazy', mount]);
    for (const uid of uids) {
      for (const folder of cgroupsOfPod(uid)) {
        for (const entry of readdirSync(folder, { withFileTypes: true }))
          if (entry.isDirectory()) execFileSync('rmdir', [join(folder, entry.name)]);
        execFileSync('rmdir', [folder]);
      }
    }
    const { bridge, table } = networkLayout(cluster.home);
    execFileSync('ip', ['link', 'delete', bridge]);
    execFileSync('nft', ['delete', 'table', 'ip', table]);
  }
});

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has ended meanwhile, with the one before it.
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** Those whose command line names this folder. */
function processesNaming(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    });
}
