import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nodes, services } from '#api/shapes/resources';
import type { Container, PodSpec, Service, ServiceSpec } from '#api/shapes/types/core-v1';
import { codeOf } from '#base/errors';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { freePorts } from '../harness/ports.ts';
import { openWorkbench, shell, sleeping, specOf, type Workbench } from '../harness/workbench.ts';

const missing = missingForCluster();
const namespace = 'default';

/** Says at /who which pod it is. */
const serving = (more: Partial<Container> = {}): Container =>
  shell('mkdir /srv; hostname > /srv/who; touch /srv/up; exec httpd -f -p 80 -h /srv', {
    ports: [{ name: 'http', containerPort: 80 }],
    // Time enough for a slow machine: only the answer counts.
    readinessProbe: { httpGet: { path: '/up', port: 'http' }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 30 },
    ...more,
  });

(missing === undefined ? describe : describe.skip)('services on a node', () => {
  let cluster: TestCluster;
  let bench: Workbench;
  let nodeAddress: string;
  let names: Resolver;
  let scratch: string;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'berth-services-'));
    cluster = await startTestCluster({ demoImage: true });
    bench = await openWorkbench(cluster);
    const [node] = (await bench.client.list(nodes)).items;
    nodeAddress = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
    names = new Resolver({ timeout: 20_000, tries: 1 });
    names.setServers([(node?.spec?.podCIDR ?? '').replace(/\.0\/\d+$/, '.1')]);
    await Promise.all([
      bench.start('web-a', specOf(serving(), { hostname: 'web-a', subdomain: 'peers' }), { labels: { app: 'web' } }),
      bench.start('web-b', specOf(serving(), { hostname: 'web-b', subdomain: 'peers' }), { labels: { app: 'web' } }),
      bench.start('client', specOf(shell(sleeping))),
    ]);
  });

  afterAll(async () => {
    bench?.close();
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  const web = { app: 'web' };

  /** Made, and known to the node. */
  async function service(name: string, spec: Partial<ServiceSpec>): Promise<Service> {
    const ports = [{ name: 'http', port: 80, targetPort: 'http' as const }];
    return await bench.client.create(services, { metadata: { name, namespace }, spec: { selector: web, ports, ...spec } });
  }

  /** What a shell script prints in the client's pod, or the given one. */
  const inPod = (script: string, pod = 'client'): Promise<string> => bench.exec(pod, 'sh', '-c', script);
  const asked = (url: string, times = 1): string => `for i in $(seq ${times}); do fetch ${url} || echo failed; done`;
  const lines = (text: string): string[] => [...new Set(text.trim().split('\n'))].toSorted();

  async function ask(url: string): Promise<string> {
    const response = await fetch(url, { signal: AbortSignal.timeout(20_000), headers: { connection: 'close' } });
    return (await response.text()).trim();
  }

  /** The answers of many requests from this machine, each once. */
  async function answersOf(url: string): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url)));
    return [...new Set(answers)].toSorted();
  }

  const open = (url: string): Promise<string> => eventually(`${url} answers`, () => ask(url));
  const both = ['web-a', 'web-b'];

  test.concurrent('ClusterIP: from a pod by short and full name, from the machine, from the pods behind it', async () => {
    const { spec } = await service('inner', {});
    const address = spec.clusterIP ?? '';
    await open(`http://${address}/who`);
    expect(lines(await inPod(asked('http://inner/who', 20)))).toEqual(both);
    expect(lines(await inPod(asked('http://inner.default.svc.cluster.local/who')))).toHaveLength(1);
    expect(lines(await inPod(asked('http://inner.default/who')))).toHaveLength(1);
    expect(await answersOf(`http://${address}/who`)).toEqual(both);
    expect(lines(await inPod(asked('http://inner/who', 20), 'web-a'))).toEqual(both);
    expect(await names.resolve4('inner.default.svc.cluster.local')).toEqual([address]);
    expect(await names.reverse(address)).toEqual(['inner.default.svc.cluster.local']);
  });

  test.concurrent('NodePort and LoadBalancer: on 127.0.0.1, on the node’s address, from a pod', async () => {
    const [published] = await freePorts(1);
    const { spec } = await service('outer', { type: 'LoadBalancer', ports: [{ name: 'http', port: published!, targetPort: 'http' }] });
    const nodePort = spec.ports?.[0]?.nodePort ?? 0;
    for (const port of [published, nodePort]) {
      for (const host of ['127.0.0.1', nodeAddress]) {
        await open(`http://${host}:${port}/who`);
        expect([host, port, await answersOf(`http://${host}:${port}/who`)]).toEqual([host, port, both]);
      }
      expect(lines(await inPod(asked(`http://${nodeAddress}:${port}/who`, 20)))).toEqual(both);
    }
    const status = await eventually(
      'its address is told',
      async () => (await bench.client.get(services, { name: 'outer', namespace })).status?.loadBalancer?.ingress,
    );
    expect(status).toEqual([expect.objectContaining({ ip: nodeAddress })]);
    await bench.client.delete(services, { name: 'outer', namespace });
    await eventually(
      'it is closed',
      async () =>
        await ask(`http://127.0.0.1:${published}/who`).then(
          () => undefined,
          () => true,
        ),
    );
  });

  test.concurrent('UDP', async () => {
    await bench.start('echo', specOf(udpEcho, { volumes: [{ name: 'host', hostPath: { path: '/' } }] }), {
      labels: { app: 'echo' },
    });
    const { spec } = await service('echo', {
      type: 'NodePort',
      selector: { app: 'echo' },
      ports: [{ port: 500, protocol: 'UDP', targetPort: 5000 }],
    });
    for (const [host, port] of [
      [spec.clusterIP!, 500],
      ['127.0.0.1', spec.ports![0]!.nodePort!],
      [nodeAddress, spec.ports![0]!.nodePort!],
    ] as const) {
      expect(await eventually(`${host}:${port} echoes`, () => echo(host, port, 'ahoy'))).toBe('ahoy');
    }
  });

  test.concurrent('headless: the pods’ addresses, their own names, SRV and PTR', async () => {
    await service('peers', { clusterIP: 'None' });
    const addresses = await Promise.all(both.map(async (name) => (await bench.find(name))?.status?.podIP ?? ''));
    const found = await eventually('the name is known', () => names.resolve4('peers.default.svc.cluster.local'));
    expect(found.toSorted()).toEqual(addresses.toSorted());
    expect(await names.resolve4('web-a.peers.default.svc.cluster.local')).toEqual([addresses[0]]);
    expect(
      (await names.resolveSrv('_http._tcp.peers.default.svc.cluster.local')).map(({ name, port }) => `${name}:${port}`).toSorted(),
    ).toEqual(['web-a.peers.default.svc.cluster.local:80', 'web-b.peers.default.svc.cluster.local:80']);
    expect(await names.reverse(addresses[0]!)).toEqual(['web-a.peers.default.svc.cluster.local']);
    expect(await inPod(asked('http://web-b.peers/who'))).toBe('web-b\n');
    await expect(names.resolve4('nobody.default.svc.cluster.local')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test.concurrent('ExternalName is another name', async () => {
    await service('target', {});
    await service('alias', { type: 'ExternalName', externalName: 'target.default.svc.cluster.local', ports: [] });
    await eventually('the alias leads on', async () => (await names.resolve4('alias.default.svc.cluster.local')).length > 0);
    expect(await names.resolveCname('alias.default.svc.cluster.local')).toEqual(['target.default.svc.cluster.local']);
    expect(lines(await inPod(asked('http://alias/who', 10)))).toEqual(expect.arrayContaining([expect.stringMatching(/^web-[ab]$/)]));
  });

  test.concurrent('session affinity: one client, one pod', async () => {
    const { spec } = await service('sticky', { sessionAffinity: 'ClientIP' });
    await open(`http://${spec.clusterIP}/who`);
    expect(lines(await inPod(asked('http://sticky/who', 20)))).toHaveLength(1);
  });

  test.concurrent('no endpoints: refused at once, from everywhere', async () => {
    const { spec } = await service('empty', { type: 'NodePort', selector: { app: 'nobody' } });
    const address = spec.clusterIP ?? '';
    await eventually('the name is known', () => names.resolve4('empty.default.svc.cluster.local'));
    for (const [host, port] of [
      [address, 80],
      ['127.0.0.1', spec.ports![0]!.nodePort!],
      [nodeAddress, spec.ports![0]!.nodePort!],
    ] as const) {
      const code = await eventually(`${host}:${port} refuses`, async () => await refusal(host, port));
      expect([host, port, code]).toEqual([host, port, 'ECONNREFUSED']);
    }
    // Not a time-out, which would have other words.
    expect((await bench.tryExec('client', 'fetch', 'http://empty/who')).stderr).toContain('Connection refused');
  });

  test.concurrent('endpoints follow readiness and deletion, and no request is lost on the way', async () => {
    const leaving = specOf(serving({ lifecycle: { preStop: { sleep: { seconds: 6 } } } }), { terminationGracePeriodSeconds: 8 });
    await Promise.all(['moving-a', 'moving-b'].map((name) => bench.start(name, leaving, { labels: { app: 'moving' } })));
    const { spec } = await service('moving', { selector: { app: 'moving' } });
    const url = `http://${spec.clusterIP}/who`;
    await open(url);
    await eventually('both answer', async () => ((await answersOf(url)).length === 2 ? true : undefined));
    await bench.exec('moving-a', 'rm', '/srv/up');
    await eventually('only the ready one answers', async () => ((await answersOf(url)).join() === 'moving-b' ? true : undefined));
    await bench.exec('moving-a', 'touch', '/srv/up');
    await eventually('both answer', async () => ((await answersOf(url)).length === 2 ? true : undefined));
    const failures: string[] = [];
    let gone = false;
    const asking = (async () => {
      while (!gone) await ask(url).catch((error: unknown) => failures.push(String((error as { cause?: unknown }).cause ?? error)));
    })();
    await bench.remove('moving-b');
    gone = true;
    await asking;
    expect(failures).toEqual([]);
    expect(await answersOf(url)).toEqual(['moving-a']);
    await bench.exec('moving-a', 'rm', '/srv/up');
    await eventually('none is left', async () => ((await refusal(spec.clusterIP!, 80)) === 'ECONNREFUSED' ? true : undefined));
  });

  test.concurrent('a port that another program has: the event says which, and the program keeps it', async () => {
    const other = createServer((socket) => socket.end('mine'));
    await new Promise<void>((listening) => other.listen(0, '0.0.0.0', listening));
    const { port } = other.address() as AddressInfo;
    try {
      await service('greedy', { type: 'LoadBalancer', ports: [{ name: 'http', port, targetPort: 'http' }] });
      const told = await bench.event('greedy', 'PortUnavailable');
      expect(told.message).toBe(
        `port ${port}/tcp cannot be opened on this node: another program on this node uses the port: stop it, or choose another port`,
      );
      expect(told.involvedObject).toMatchObject({ kind: 'Service', name: 'greedy' });
      expect(await said('127.0.0.1', port)).toBe('mine');
      expect(await said(nodeAddress, port)).toBe('mine');
      await eventually('its address answers', async () =>
        /^web-[ab]\n$/.test(await inPod(asked(`http://greedy:${port}/who`))) ? true : undefined,
      );
    } finally {
      other.close();
    }
    // Its own attempt, half a minute later.
    expect(await eventually('the port is opened', () => ask(`http://127.0.0.1:${port}/who`), 120_000)).toMatch(/^web-[ab]$/);
  });

  test.concurrent('a port that another Service or program has: the second is told so, Service or pod', async () => {
    const [port] = await freePorts(1);
    const ports = [{ name: 'http', port: port!, targetPort: 'http' as const }];
    const first = await service('first', { type: 'LoadBalancer', ports });
    await open(`http://127.0.0.1:${port}/who`);
    await service('second', { type: 'LoadBalancer', ports, selector: { app: 'nobody' } });
    expect((await bench.event('second', 'PortUnavailable')).message).toBe(
      `port ${port}/tcp cannot be opened on this node: Service default/${first.metadata.name} has the port on this node`,
    );
    expect(await ask(`http://127.0.0.1:${port}/who`)).toMatch(/^web-[ab]$/);

    const other = createServer((socket) => socket.end('mine'));
    await new Promise<void>((listening) => other.listen(0, '0.0.0.0', listening));
    const taken = (other.address() as AddressInfo).port;
    try {
      await bench.create('late-host', specOf(serving({ ports: [{ name: 'http', containerPort: 80, hostPort: taken }] })));
      expect((await bench.event('late-host', 'PortUnavailable')).message).toMatch(
        new RegExp(`^port ${taken}/tcp cannot be opened on this node: another program on this node uses the port`),
      );
      expect(await said('127.0.0.1', taken)).toBe('mine');
    } finally {
      other.close();
    }
  });

  test.concurrent('hostPort: on the node, and of one pod alone', async () => {
    const [port] = await freePorts(1);
    const spec = (): PodSpec => specOf(serving({ ports: [{ name: 'http', containerPort: 80, hostPort: port! }] }));
    await bench.start('at-host', spec());
    expect(await open(`http://127.0.0.1:${port}/who`)).toBe('at-host');
    expect(await open(`http://${nodeAddress}:${port}/who`)).toBe('at-host');
    await bench.create('at-host-too', spec());
    await bench.event('at-host-too', 'FailedScheduling', /free ports/);
    await bench.remove('at-host');
    await bench.ready('at-host-too');
    expect(await eventually('the next one answers', () => ask(`http://127.0.0.1:${port}/who`))).toBe('at-host-too');
  });

  test.concurrent('names from outside: an answer or a failure, and soon', async () => {
    // The client of the pod and the resolver here give up by themselves: neither has to.
    expect(await inPod('nslookup no-such-name.invalid 2>&1 || true')).not.toMatch(/timed out|no servers could be reached/);
    const code = await names.resolve4('another.invalid').then(
      () => 'an answer',
      (error: unknown) => codeOf(error),
    );
    expect(code).not.toBe('ETIMEOUT');
  });

  test.concurrent('the API itself is a service', async () => {
    const { spec } = await bench.client.get(services, { name: 'kubernetes', namespace });
    expect(await inPod('nc -w 2 kubernetes.default 443 < /dev/null && echo open')).toBe('open\n');
    expect(await names.resolve4('kubernetes.default.svc.cluster.local')).toEqual([spec.clusterIP]);
  });

  test.concurrent('two stacks with the same names: each finds its own', async () => {
    const compose = (who: string): string =>
      [
        'services:',
        '  web:',
        '    image: berth.local/hello:1',
        `    command: [sh, -c, "mkdir /srv; echo ${who} > /srv/who; exec httpd -f -p 80 -h /srv"]`,
        '    networks: { default: { aliases: [also] } }',
        '    stop_grace_period: 0s',
        '  client:',
        '    image: berth.local/hello:1',
        '    command: [sleep, "3600"]',
        '    stop_grace_period: 0s',
        '',
      ].join('\n');
    for (const who of ['east', 'west']) {
      const file = join(scratch, `${who}.yaml`);
      writeFileSync(file, compose(who));
      await cluster.succeed('apply', '-p', who, '-f', file);
    }
    for (const who of ['east', 'west']) {
      // A container that runs need not listen yet.
      await eventually('it listens', async () =>
        (await inPod(asked('http://web/who'), `${who}-client-1`)) === `${who}\n` ? true : undefined,
      );
      expect(await inPod(asked('http://web/who', 5), `${who}-client-1`)).toBe(`${who}\n`.repeat(5));
      expect(await inPod(asked('http://also/who', 2), `${who}-client-1`)).toBe(`${who}\n`.repeat(2));
    }
    expect((await bench.tryExec('client', 'fetch', 'http://web/who')).code).not.toBe(0);
    for (const who of ['east', 'west']) await cluster.succeed('delete', 'stack', who);
  });
});

/** The demo image has nothing that speaks UDP: this machine's Node.js, in its own root. */
const udpEcho: Container = {
  name: 'main',
  image: 'berth.local/hello:1',
  command: [
    'chroot',
    '/host',
    process.execPath,
    '-e',
    "const s = require('dgram').createSocket('udp4'); s.on('message', (text, from) => s.send(text, from.port, from.address)); s.bind(5000)",
  ],
  ports: [{ containerPort: 5000, protocol: 'UDP' }],
  volumeMounts: [{ name: 'host', mountPath: '/host', readOnly: true }],
};

/** Sends one datagram and gives the answer. */
function echo(host: string, port: number, text: string): Promise<string> {
  const socket = createSocket('udp4');
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), 5000);
    socket.once('message', (message) => {
      clearTimeout(timer);
      resolve(message.toString());
    });
    socket.once('error', reject);
    socket.send(text, port, host);
  }).finally(() => socket.close());
}

/** What the other side says before it hangs up. */
function said(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    connect({ host, port })
      .on('data', (chunk) => {
        text += chunk.toString();
      })
      .on('error', reject)
      .on('end', () => resolve(text));
  });
}

/** The error's code when nobody listens; undefined when somebody does. */
function refusal(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 20_000 });
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('timeout', () => {
      socket.destroy();
      resolve('TIMEOUT');
    });
    socket.on('error', (error) => resolve((error as { code?: string }).code ?? 'unknown'));
  });
}
