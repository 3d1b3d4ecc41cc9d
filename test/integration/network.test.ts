/** The network of a node over real nftables, real CNI plugins and real containers, with a second namespace as the world outside. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NodeNetwork } from '#agent/network/node-network';
import { removeNetwork } from '#agent/network/remove-network';
import type { NetworkPod, NetworkState } from '#agent/network/state';
import { findProgram } from '#agent/runtime/containerd/binaries';
import { Containerd } from '#agent/runtime/containerd/containerd';
import { removeContainerd } from '#agent/runtime/containerd/remove';
import { CriRuntime } from '#agent/runtime/cri/cri-runtime';
import { loadImage } from '#agent/runtime/images/load-image';
import { plainCgroupParent, plainContainer, plainSandbox } from '#agent/runtime/plain-configs';
import type { Service } from '#api/shapes/types/core-v1';
import type { Endpoint, EndpointSlice } from '#api/shapes/types/discovery-v1';
import { type Clock, systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { buildDemoImage } from '../../hack/demo-image.ts';
import { eventually } from '../harness/commands.ts';
import { isInNamespace } from './in-namespace.ts';
import { busyboxImage, removeCgroups, whyNoContainers } from './private-containerd.ts';

const reason = whyNoContainers() ?? (findProgram('nft') === undefined ? 'needs nftables' : undefined);

if (reason !== undefined) {
  test.skip(`the network of a node (${reason})`, () => undefined);
} else if (isInNamespace(import.meta.url)) {
  describe('the network of a node', defineTests);
}

/** busybox's httpd writes IPv4 addresses as IPv6 has them. */
function plain(text: string): string {
  return text.replace(/\[::ffff:([\d.]+)\]/, '$1');
}

interface RunningPod extends NetworkPod {
  readonly container: string;
  readonly address: string;
  readonly networkNamespace: string;
}

function defineTests(): void {
  const outsideNamespace = `bto${process.pid}`;
  const nodeAddress = '198.51.100.1';
  const outsideAddress = '198.51.100.2';
  const never = new AbortController().signal;
  let home: string;
  let containerd: Containerd;
  let runtime: CriRuntime;
  let network: NodeNetwork;
  let web1: RunningPod;
  let web2: RunningPod;
  let client: RunningPod;
  let before: string;

  function ip(...args: string[]): string {
    return execFileSync('ip', args, { encoding: 'utf8' });
  }

  /** What the network may change, as text. */
  function kernelState(): string {
    return [
      execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).replace(/table ip filter \{[\s\S]*?\n\}\n/, ''),
      ip('-br', 'link').replace(/@if\d+/g, ''),
      ip('route'),
      readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
      readFileSync('/proc/sys/net/ipv4/conf/all/route_localnet', 'utf8'),
      readFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8'),
    ].join('\n');
  }

  function newNetwork(clock: Clock = systemClock): NodeNetwork {
    return new NodeNetwork({
      home,
      nodeName: 'node-1',
      podCidr: '10.42.0.0/24',
      clusterCidr: '10.42.0.0/16',
      serviceCidr: '10.43.0.0/16',
      domain: 'cluster.local',
      cniConfiguration: containerd.layout.cniConfiguration,
      clock,
      log: silentLogger,
      resolvConf: '/dev/null',
    });
  }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'berth-network-'));
    ip('netns', 'add', outsideNamespace);
    ip('link', 'add', 'outside0', 'type', 'veth', 'peer', 'name', 'node0', 'netns', outsideNamespace);
    ip('address', 'add', `${nodeAddress}/24`, 'dev', 'outside0');
    ip('link', 'set', 'outside0', 'up');
    ip('-n', outsideNamespace, 'address', 'add', `${outsideAddress}/24`, 'dev', 'node0');
    ip('-n', outsideNamespace, 'link', 'set', 'node0', 'up');
    ip('-n', outsideNamespace, 'link', 'set', 'lo', 'up');
    ip('route', 'add', 'default', 'via', outsideAddress);
    before = kernelState();
    containerd = new Containerd({ home, clock: systemClock, log: silentLogger });
    await containerd.start(AbortSignal.timeout(60_000));
    await loadImage({ socket: containerd.layout.socket, archive: await buildDemoImage(busyboxImage) });
    runtime = new CriRuntime({ endpoint: containerd.endpoint, instance: 'node-1' });
    network = newNetwork();
    await network.setup();
    [web1, web2, client] = await Promise.all([
      runPod('web1', ['default/hello_front']),
      runPod('web2'),
      runPod('client', ['default/hello_front']),
    ]);
    // A container that runs need not listen yet.
    await Promise.all(
      [web1, web2].map((pod) =>
        eventually(`${pod.name} listens`, async () => ((await get(client, pod.address)).startsWith(pod.name) ? true : undefined)),
      ),
    );
  });

  afterAll(async () => {
    await network?.close();
    runtime?.close();
    await removeContainerd({ home, clock: systemClock });
    await removeNetwork(home);
    await removeCgroups(plainCgroupParent);
    ip('netns', 'delete', outsideNamespace);
    rmSync(home, { recursive: true, force: true });
  });

  /** A pod that serves its name and its client's address at /cgi-bin/who, on port 80. */
  async function runPod(name: string, networks: readonly string[] = []): Promise<RunningPod> {
    const script = ['#!/bin/sh', 'printf "Content-Type: text/plain\\r\\n\\r\\n%s %s" "$(hostname)" "$REMOTE_ADDR"'];
    const lines = script.map((line) => `'${line}'`).join(' ');
    const serve = `mkdir -p /www/cgi-bin && printf '%s\\n' ${lines} > /www/cgi-bin/who && chmod +x /www/cgi-bin/who && exec httpd -f -p 80 -h /www`;
    const sandbox = plainSandbox({
      pod: { namespace: 'default', name, uid: `${name}-${process.pid}` },
      logDirectory: join(home, 'logs', name),
      dns: {
        servers: [network.dnsAddress],
        searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        options: [networks.length === 0 ? 'ndots:5' : 'ndots:0'],
      },
    });
    const config = plainContainer({ image: busyboxImage, command: ['/bin/sh', '-c', serve] });
    const id = await runtime.runSandbox(sandbox, never);
    const container = await runtime.createContainer(id, config, sandbox);
    await runtime.startContainer(container);
    const status = await runtime.sandboxStatus(id);
    const address = status?.addresses[0] ?? '';
    return {
      networkNamespace: status?.networkNamespace ?? '',
      namespace: 'default',
      name,
      addresses: [address],
      networks,
      hostPorts: [],
      container,
      address,
    };
  }

  function service(
    name: string,
    clusterIP: string,
    spec: Partial<Service['spec']> = {},
    annotations: Record<string, string> = {},
  ): Service {
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'default', name, annotations },
      spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }], ...spec },
    };
  }

  function slice(name: string, endpoints: readonly (RunningPod | Endpoint)[], port = 80, protocol = 'TCP'): EndpointSlice {
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'default', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: endpoints.map((endpoint) =>
        'container' in endpoint ? { addresses: [endpoint.address], conditions: { ready: true } } : endpoint,
      ),
      ports: [{ name: '', port, protocol }],
    };
  }

  async function apply(
    services: Service[],
    endpointSlices: EndpointSlice[],
    extra: Partial<NetworkState> = {},
  ): ReturnType<NodeNetwork['apply']> {
    return network.apply({ services, endpointSlices, pods: [web1, web2, client], ...extra });
  }

  /** Runs a command in a pod; its output, or its complaint. */
  async function inPod(pod: RunningPod, ...command: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await runtime.execSync(pod.container, command, 60_000);
    return exitCode === 0 ? plain(Buffer.from(stdout).toString()) : `failed with ${exitCode}: ${Buffer.from(stderr).toString()}`;
  }

  // Without -T: busybox's static wget ends with a segmentation fault when it is given a timeout.
  const get = (pod: RunningPod, host: string): Promise<string> => inPod(pod, 'wget', '-q', '-O', '-', `http://${host}/cgi-bin/who`);

  async function getFromNode(host: string): Promise<string> {
    const response = await fetch(`http://${host}/cgi-bin/who`, { signal: AbortSignal.timeout(20_000), headers: { connection: 'close' } });
    return plain(await response.text());
  }

  function getFromOutside(host: string): string {
    const command = ['busybox', 'wget', '-q', '-O', '-', `http://${host}/cgi-bin/who`];
    return plain(execFileSync('ip', ['netns', 'exec', outsideNamespace, ...command], { encoding: 'utf8', timeout: 20_000 }));
  }

  /** A program of this machine's Node in a pod's network. */
  function inNetworkOf(pod: RunningPod, program: string): ChildProcess {
    return spawn('nsenter', [`--net=${pod.networkNamespace}`, process.execPath, '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  function askUdp(address: string, port: number): Promise<string> {
    const socket = createSocket('udp4');
    return new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (message) => resolve(message.toString()));
      socket.send('hello', port, address);
    }).finally(() => socket.close());
  }

  test('a pod reaches every ready endpoint of a service, which sees the pod as its client', async () => {
    await apply([service('web', '10.43.0.10')], [slice('web', [web1, web2])]);
    const seen = new Set<string>();
    for (let attempt = 0; attempt < 60 && seen.size < 2; attempt++) seen.add(await get(client, '10.43.0.10'));
    expect([...seen].toSorted()).toEqual([`web1 ${client.address}`, `web2 ${client.address}`]);
  });

  test('the node itself reaches a service, with and without a default route', async () => {
    await apply([service('web', '10.43.0.10')], [slice('web', [web1])]);
    expect(await getFromNode('10.43.0.10')).toMatch(/^web1 /);
    ip('route', 'delete', 'default');
    try {
      expect(await getFromNode('10.43.0.10')).toMatch(/^web1 /);
    } finally {
      ip('route', 'add', 'default', 'via', outsideAddress);
    }
  });

  test('a pod reaches itself through its service', async () => {
    await apply([service('web', '10.43.0.10')], [slice('web', [web1])]);
    expect(await get(web1, '10.43.0.10')).toMatch(/^web1 /);
  });

  test('a published port answers on 127.0.0.1, on the node, from outside with the true client, and from a pod', async () => {
    const published = service('web', '10.43.0.10', { type: 'LoadBalancer', ports: [{ port: 8080, protocol: 'TCP', nodePort: 30_080 }] });
    expect(await apply([published], [slice('web', [web1])])).toEqual([]);
    expect(await getFromNode('127.0.0.1:8080')).toMatch(/^web1 /);
    expect(await getFromNode('localhost:8080')).toMatch(/^web1 /);
    expect(await getFromNode(`${nodeAddress}:8080`)).toMatch(/^web1 /);
    expect(getFromOutside(`${nodeAddress}:8080`)).toBe(`web1 ${outsideAddress}`);
    expect(getFromOutside(`${nodeAddress}:30080`)).toBe(`web1 ${outsideAddress}`);
    expect(await get(client, `${nodeAddress}:8080`)).toBe(`web1 ${client.address}`);
    expect(await get(web1, `${nodeAddress}:8080`)).toMatch(/^web1 /);
  });

  test('a port that is published on one address answers there alone', async () => {
    const addresses = { 'berth.dev/host-addresses': '{"8080/tcp":["127.0.0.1"]}' };
    await apply([service('web', '10.43.0.10', { type: 'LoadBalancer', ports: [{ port: 8080 }] }, addresses)], [slice('web', [web1])]);
    expect(await getFromNode('127.0.0.1:8080')).toMatch(/^web1 /);
    expect(() => getFromOutside(`${nodeAddress}:8080`)).toThrow();
    await expect(getFromNode(`${nodeAddress}:8080`)).rejects.toThrow();
  });

  test('a service without endpoints refuses at once, and so does an address without a service', async () => {
    await apply([service('web', '10.43.0.10', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] })], [slice('web', [])]);
    expect(await get(client, '10.43.0.10')).toContain('refused');
    expect(await get(client, '10.43.0.99')).toContain('refused');
    await expect(getFromNode('127.0.0.1:30080')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    expect(() => getFromOutside(`${nodeAddress}:30080`)).toThrow(/refused/);
  });

  test('endpoints that are not ready get nothing, but those that end still serve when they are the last', async () => {
    const ending = (pod: RunningPod): Endpoint => ({
      addresses: [pod.address],
      conditions: { ready: false, serving: true, terminating: true },
    });
    await apply([service('web', '10.43.0.10')], [slice('web', [web1, ending(web2)])]);
    for (let attempt = 0; attempt < 10; attempt++) expect(await get(client, '10.43.0.10')).toMatch(/^web1 /);
    await apply([service('web', '10.43.0.10')], [slice('web', [ending(web2)])]);
    expect(await get(client, '10.43.0.10')).toMatch(/^web2 /);
  });

  test('with affinity a client stays with its endpoint', async () => {
    await apply([service('web', '10.43.0.10', { sessionAffinity: 'ClientIP' })], [slice('web', [web1, web2])]);
    const seen = new Set<string>();
    for (let attempt = 0; attempt < 12; attempt++) seen.add(await get(client, '10.43.0.10'));
    expect(seen.size).toBe(1);
  });

  test('a host port of a pod answers', async () => {
    const open: NetworkPod = { ...web2, hostPorts: [{ protocol: 'tcp', containerPort: 80, hostPort: 8_123, hostAddress: '' }] };
    expect(await apply([], [], { pods: [web1, open, client] })).toEqual([]);
    expect(getFromOutside(`${nodeAddress}:8123`)).toBe(`web2 ${outsideAddress}`);
    expect(await getFromNode('127.0.0.1:8123')).toMatch(/^web2 /);
  });

  test('UDP goes to its endpoint, and back', async () => {
    await apply([service('echo', '10.43.0.11', { ports: [{ port: 9000, protocol: 'UDP' }] })], [slice('echo', [web1], 9000, 'UDP')]);
    const echo =
      "const s = require('dgram').createSocket('udp4'); s.on('message', (m, f) => s.send(m, f.port, f.address)); s.bind(9000, () => console.log('ready'))";
    const server = inNetworkOf(web1, echo);
    try {
      await new Promise((resolve) => server.stdout?.once('data', resolve));
      expect(await askUdp('10.43.0.11', 9000)).toBe('hello');
    } finally {
      server.kill();
    }
  });

  test("pods reach the world with the node's address", async () => {
    const program =
      "require('http').createServer((q, r) => r.end(q.socket.remoteAddress)).listen(8088, '0.0.0.0', () => console.log('ready'))";
    const server: ChildProcess = spawn('ip', ['netns', 'exec', outsideNamespace, process.execPath, '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => server.stdout?.once('data', resolve));
      expect(await get(client, `${outsideAddress}:8088`)).toBe(nodeAddress);
    } finally {
      server.kill();
    }
  });

  test("another program's port is told and left alone, and opened once it is free", async () => {
    const other = createServer((_request, response) => response.end('other program'));
    await new Promise<void>((resolve) => other.listen(8_081, '127.0.0.1', resolve));
    const published = service('web', '10.43.0.10', { type: 'LoadBalancer', ports: [{ port: 8_081 }] });
    try {
      expect(await apply([published], [slice('web', [web1])])).toEqual([
        {
          kind: 'Service',
          namespace: 'default',
          name: 'web',
          protocol: 'tcp',
          port: 8_081,
          reason: expect.stringContaining('another program'),
        },
      ]);
      expect(await getFromNode('127.0.0.1:8081')).toBe('other program');
      expect(await get(client, '10.43.0.10:8081')).toMatch(/^web1 /);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
    expect(await apply([published], [slice('web', [web1])])).toEqual([]);
    expect(await getFromNode('127.0.0.1:8081')).toMatch(/^web1 /);
  });

  test('of two services that want one port, the second is told', async () => {
    const spec = { type: 'LoadBalancer', ports: [{ port: 8_082 }] };
    const problems = await apply(
      [service('a', '10.43.0.20', spec), service('b', '10.43.0.21', spec)],
      [slice('a', [web1]), slice('b', [web2])],
    );
    expect(problems).toEqual([expect.objectContaining({ name: 'b', port: 8_082, reason: expect.stringContaining('default/a') })]);
    expect(await getFromNode('127.0.0.1:8082')).toMatch(/^web1 /);
  });

  test('names: services, headless services, and bare names by the networks of the pod that asks', async () => {
    const names = { 'berth.dev/network-names': '{"default/hello_front":["web","alias"]}' };
    await apply(
      [service('api', '10.43.0.30'), service('hello-web', 'None', { ports: [] }, names)],
      [slice('api', [web2]), slice('hello-web', [web1])],
    );
    expect(await get(client, 'web')).toMatch(/^web1 /);
    expect(await get(client, 'alias')).toMatch(/^web1 /);
    expect(await get(client, 'hello-web.default.svc.cluster.local')).toMatch(/^web1 /);
    expect(await get(client, 'api')).toMatch(/^web2 /);
    expect(await get(web2, 'api')).toMatch(/^web2 /);
    expect(await get(web2, 'api.default')).toMatch(/^web2 /);
    expect(await get(web2, 'web')).toContain('bad address');
    expect(await inPod(client, 'nslookup', 'hello-web.default.svc.cluster.local')).toContain(web1.address);
    expect(await inPod(client, 'nslookup', '10.43.0.30')).toContain('api.default.svc.cluster.local');
    expect(await inPod(client, 'nslookup', 'nowhere.example')).toContain('failed');
  });

  test('while the agent is away rules go on, and the next one takes them up', async () => {
    const published = service('web', '10.43.0.10', { type: 'LoadBalancer', ports: [{ port: 8080 }] });
    await apply([published], [slice('web', [web1])]);
    await network.close();
    expect(getFromOutside(`${nodeAddress}:8080`)).toMatch(/^web1 /);
    network = newNetwork();
    await network.setup();
    expect(getFromOutside(`${nodeAddress}:8080`)).toMatch(/^web1 /);
    expect(await apply([published], [slice('web', [web2])])).toEqual([]);
    expect(getFromOutside(`${nodeAddress}:8080`)).toMatch(/^web2 /);
  });

  test('rules that someone else removed come back with the next change, and by themselves', async () => {
    execFileSync('nft', ['delete', 'table', 'ip', network.layout.table]);
    await apply([service('web', '10.43.0.10')], [slice('web', [web1])]);
    expect(await get(client, '10.43.0.10')).toMatch(/^web1 /);
    const clock = new ManualClock();
    await network.close();
    network = newNetwork(clock);
    await network.setup();
    await apply([service('web', '10.43.0.10')], [slice('web', [web2])]);
    execFileSync('nft', ['flush', 'ruleset']);
    await clock.advance(20_000);
    await eventually('the table is there again', async () =>
      execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).includes(network.layout.table) ? true : undefined,
    );
    expect(await get(client, '10.43.0.10')).toMatch(/^web2 /);
  });

  (findProgram('iptables') === undefined ? test.skip : test)('a firewall that drops what it forwards lets pods through', async () => {
    execFileSync('iptables', ['-P', 'FORWARD', 'DROP']);
    execFileSync('iptables', ['-P', 'INPUT', 'DROP']);
    try {
      await network.close();
      network = newNetwork();
      await network.setup();
      await apply([service('web', '10.43.0.10', { type: 'LoadBalancer', ports: [{ port: 8080 }] })], [slice('web', [web1])]);
      expect(getFromOutside(`${nodeAddress}:8080`)).toMatch(/^web1 /);
      expect(await get(client, 'web.default.svc.cluster.local:8080')).toMatch(/^web1 /);
    } finally {
      execFileSync('iptables', ['-P', 'FORWARD', 'ACCEPT']);
      execFileSync('iptables', ['-P', 'INPUT', 'ACCEPT']);
    }
  });

  test('taking it away leaves the machine as it was', async () => {
    await network.close();
    await removeContainerd({ home, clock: systemClock });
    await removeNetwork(home);
    expect(kernelState()).toBe(before);
    if (findProgram('iptables') !== undefined) expect(execFileSync('iptables', ['-S'], { encoding: 'utf8' })).not.toContain('berth');
    await removeContainerd({ home, clock: systemClock });
    await removeNetwork(home);
  });
}
