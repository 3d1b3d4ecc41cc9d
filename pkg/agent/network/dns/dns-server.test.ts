import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import dnsPacket, { type DecodedPacket, type Packet, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { systemClock } from '#base/clock';
import { type Logger, silentLogger } from '#base/logging';
import { DnsServer } from './dns-server.ts';
import { Upstream } from './upstream.ts';
import { zoneOf } from './zone.ts';

const address = '127.0.0.1';

let folder: string;
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-dns-'));
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** Endpoints of a headless service `many`, of a network name `web` for everyone on loopback, and an alias to the world. */
function zone(endpoints: number) {
  const addresses = Array.from({ length: endpoints }, (_, index) => `10.42.${Math.floor(index / 250)}.${(index % 250) + 1}`);
  return zoneOf(
    {
      services: [
        { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'd', name: 'many' }, spec: { clusterIP: 'None' } },
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { namespace: 'd', name: 'out' },
          spec: { type: 'ExternalName', externalName: 'www.example.com' },
        },
      ],
      endpointSlices: [
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { namespace: 'd', name: 'many-1', labels: { 'kubernetes.io/service-name': 'many' } },
          addressType: 'IPv4',
          endpoints: addresses.map((item) => ({ addresses: [item] })),
        },
      ],
      pods: [],
    },
    'cluster.local',
  );
}

async function startServer(resolvConf: string, upstreamPort = 53, log: Logger = silentLogger): Promise<DnsServer> {
  writeFileSync(join(folder, 'resolv.conf'), resolvConf);
  const upstream = new Upstream({
    resolvConf: join(folder, 'resolv.conf'),
    port: upstreamPort,
    ownAddresses: [],
    clock: systemClock,
    log: silentLogger,
  });
  const server = new DnsServer({ address, port: 0, upstream, owns: () => false, log });
  await server.listen();
  closing.push(() => server.close());
  server.setZone(zone(3));
  return server;
}

function query(name: string, type: RecordType = 'A', extra: Partial<Packet> = {}): Buffer {
  return dnsPacket.encode({ type: 'query', id: 4711, flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type }], ...extra });
}

function askRaw(port: number, message: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  return new Promise<Buffer>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (response) => resolve(response));
    socket.send(message, port, address);
  }).finally(() => socket.close());
}

/** The package gives the code too, but its types do not. */
type Response = DecodedPacket & { readonly rcode: string };

async function ask(port: number, message: Buffer): Promise<Response> {
  return dnsPacket.decode(await askRaw(port, message)) as Response;
}

function openTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** Sends all at once on one connection; gives as many answers. */
async function askTcp(port: number, messages: readonly Buffer[]): Promise<Response[]> {
  const socket = await openTcp(port);
  const answers: Response[] = [];
  let received = Buffer.alloc(0);
  socket.write(Buffer.concat(messages.map((message) => dnsPacket.streamEncode(dnsPacket.decode(message)))));
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      answers.push(dnsPacket.decode(received.subarray(2, 2 + received.readUInt16BE(0))) as Response);
      received = received.subarray(2 + received.readUInt16BE(0));
    }
    if (answers.length === messages.length) break;
  }
  socket.destroy();
  return answers;
}

/** A name server that answers everything with one address, and counts; `fails` makes it answer with that code. */
async function startUpstream(fails?: number): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const respond = (message: Buffer): Buffer => {
    const packet = dnsPacket.decode(message);
    const [question] = packet.questions ?? [];
    asked.push(question?.name ?? '');
    const answers = fails === undefined ? [{ type: 'A' as const, name: question?.name ?? '', ttl: 60, data: '192.0.2.7' }] : [];
    return dnsPacket.encode({ type: 'response', id: packet.id ?? 0, flags: fails ?? 0, questions: packet.questions ?? [], answers });
  };
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(respond(message), from.port, from.address));
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const { port } = socket.address();
  const tcp = createServer((connection) => {
    connection.on('data', (chunk) => connection.write(dnsPacket.streamEncode(dnsPacket.decode(respond(chunk.subarray(2))))));
    connection.on('error', () => connection.destroy());
  });
  await new Promise<void>((resolve) => tcp.listen(port, address, resolve));
  closing.push(async () => {
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    await new Promise((resolve) => tcp.close(resolve));
  });
  return { port, asked };
}

describe('the name server of a node', () => {
  test('answers over UDP and TCP, several questions on one connection', async () => {
    const server = await startServer('');
    const response = await ask(server.port, query('many.d.svc.cluster.local'));
    expect(response).toMatchObject({ id: 4711, flag_qr: true, flag_aa: true, flag_ra: true, flag_rd: true, rcode: 'NOERROR' });
    expect(response.answers).toHaveLength(3);
    const answers = await askTcp(server.port, [query('many.d.svc.cluster.local'), query('none.d.svc.cluster.local')]);
    expect(answers.map(({ rcode }) => rcode).toSorted()).toEqual(['NOERROR', 'NXDOMAIN']);
  });

  test('cuts a long answer short over UDP, says so, and gives it whole over TCP', async () => {
    const server = await startServer('');
    server.setZone(zone(400));
    const short = await askRaw(server.port, query('many.d.svc.cluster.local'));
    expect(short.length).toBeLessThanOrEqual(512);
    expect(dnsPacket.decode(short)).toMatchObject({ flag_tc: true, rcode: 'NOERROR' });
    const extended = await askRaw(
      server.port,
      query('many.d.svc.cluster.local', 'A', {
        additionals: [
          { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [], extendedRcode: 0, ednsVersion: 0, flag_do: false },
        ],
      }),
    );
    expect(extended.length).toBeGreaterThan(512);
    expect(extended.length).toBeLessThanOrEqual(1232);
    const [whole] = await askTcp(server.port, [query('many.d.svc.cluster.local')]);
    expect(whole?.answers).toHaveLength(400);
    expect(whole?.flag_tc).toBe(false);
  });

  test('the order of addresses varies', async () => {
    const server = await startServer('');
    const firsts = new Set<unknown>();
    for (let attempt = 0; attempt < 100 && firsts.size < 3; attempt++) {
      const [first] = (await ask(server.port, query('many.d.svc.cluster.local'))).answers ?? [];
      firsts.add(first !== undefined && 'data' in first ? first.data : undefined);
    }
    expect(firsts.size).toBe(3);
  });

  test('asks the servers of the machine for the rest, and keeps what they said', async () => {
    const upstream = await startUpstream();
    const server = await startServer(`nameserver ${address}\n`, upstream.port);
    for (let attempt = 0; attempt < 3; attempt++) {
      const response = await ask(server.port, query('example.com', 'A', { id: 100 + attempt }));
      expect(response).toMatchObject({ id: 100 + attempt, answers: [{ data: '192.0.2.7' }] });
    }
    expect(upstream.asked).toEqual(['example.com']);
    expect((await askTcp(server.port, [query('example.com')]))[0]?.answers).toMatchObject([{ data: '192.0.2.7' }]);
  });

  test('an external name comes with its addresses', async () => {
    const upstream = await startUpstream();
    const server = await startServer(`nameserver ${address}\n`, upstream.port);
    expect((await ask(server.port, query('out.d.svc.cluster.local'))).answers).toMatchObject([
      { type: 'CNAME', data: 'www.example.com' },
      { type: 'A', name: 'www.example.com', data: '192.0.2.7' },
    ]);
  });

  test('a failure of a server is passed on and not kept', async () => {
    const upstream = await startUpstream(2);
    const server = await startServer(`nameserver ${address}\n`, upstream.port);
    expect((await ask(server.port, query('example.com'))).rcode).toBe('SERVFAIL');
    expect((await ask(server.port, query('example.com'))).rcode).toBe('SERVFAIL');
    expect(upstream.asked).toHaveLength(2);
  });

  test('without any server, and with one that is not there, the answer comes all the same', async () => {
    const none = await startServer('# nothing\n');
    expect((await ask(none.port, query('example.com'))).rcode).toBe('NXDOMAIN');
    const dead = await startServer(`nameserver ${address}\n`, 9);
    expect((await ask(dead.port, query('example.com'))).rcode).toBe('SERVFAIL');
    expect((await ask(dead.port, query('many.d.svc.cluster.local'))).rcode).toBe('NOERROR');
  });

  test('what is malformed, is no question, or asks for something else harms nobody', async () => {
    const server = await startServer('');
    const header = Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    const malformed = await askRaw(server.port, Buffer.concat([header, Buffer.from([63, 1, 2])]));
    expect([malformed.readUInt16BE(0), malformed.readUInt8(3) & 15]).toEqual([0x0102, 1]);
    const notify = query('many.d.svc.cluster.local');
    notify.writeUInt8((notify.readUInt8(2) & 0x87) | (4 << 3), 2);
    expect((await askRaw(server.port, notify)).readUInt8(3) & 15).toBe(4);
    const socket = createSocket('udp4');
    for (const message of [
      Buffer.alloc(0),
      Buffer.alloc(5),
      Buffer.alloc(2_000, 0xff),
      Buffer.concat([header, Buffer.from([0xc0, 0x0c])]),
    ]) {
      await new Promise<void>((resolve, reject) =>
        socket.send(message, server.port, address, (error) => (error === null ? resolve() : reject(error))),
      );
    }
    socket.close();
    const tcp = await openTcp(server.port);
    tcp.end(Buffer.from([0, 3, 1, 2, 3, 0xff, 0xff]));
    expect((await ask(server.port, query('many.d.svc.cluster.local'))).answers).toHaveLength(3);
  });

  test('questions changed at random are answered or left, and nothing is noted of them', async () => {
    const notes: string[] = [];
    const note = (message: string): void => void notes.push(message);
    const log: Logger = { ...silentLogger, error: note, warn: note };
    const server = await startServer('', 53, log);
    const questions = [
      query('many.d.svc.cluster.local', 'A', {
        additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as never],
      }),
      query('_x._tcp.many.d.svc.cluster.local', 'SRV'),
      query('1.0.42.10.in-addr.arpa', 'PTR'),
      query('many.d.svc.cluster.local', 'ANY' as RecordType),
    ];
    const changed = fc.sample(
      fc.tuple(
        fc.constantFrom(...questions),
        fc.array(fc.tuple(fc.nat(80), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(80),
      ),
      { seed: 20_260_110, numRuns: 500 },
    );
    const socket = await openTcp(server.port);
    socket.resume();
    for (const [question, changes, cut] of changed) {
      const message = Buffer.from(question);
      for (const [at, byte] of changes) if (at < message.length) message[at] = byte;
      for (const part of [message, message.subarray(0, cut)]) {
        const prefix = Buffer.alloc(2);
        prefix.writeUInt16BE(part.length);
        socket.write(Buffer.concat([prefix, part]));
      }
    }
    socket.end();
    await new Promise((resolve) => void socket.once('close', resolve));
    expect((await ask(server.port, query('many.d.svc.cluster.local'))).answers).toHaveLength(3);
    expect(notes).toEqual([]);
  });

  test('where its port is taken it takes another', async () => {
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => other.bind({ port: 0, address, exclusive: true }, resolve));
    const taken = other.address().port;
    const upstream = new Upstream({ resolvConf: '/dev/null', ownAddresses: [], clock: systemClock, log: silentLogger });
    const server = new DnsServer({ address, port: taken, upstream, owns: () => false, log: silentLogger });
    try {
      await server.listen();
      expect(server.port).not.toBe(taken);
      expect((await ask(server.port, query('cluster.local'))).rcode).toBe('NOERROR');
    } finally {
      await server.close();
      other.close();
    }
    const tcpOnly = createServer();
    await new Promise<void>((resolve) => tcpOnly.listen(0, address, resolve));
    const second = new DnsServer({
      address,
      port: (tcpOnly.address() as AddressInfo).port,
      upstream,
      owns: () => false,
      log: silentLogger,
    });
    try {
      await second.listen();
      expect((await ask(second.port, query('cluster.local'))).rcode).toBe('NOERROR');
    } finally {
      await second.close();
      tcpOnly.close();
    }
  });
});
