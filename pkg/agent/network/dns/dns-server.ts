/**
 * The name server of the node's pods, over UDP and TCP, on the bridge's address: answers from the zone it was last given, and forwards the rest.
 * Invariant: no question waits for the control plane, and a malformed one harms nobody but its sender.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import dnsPacket, {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { codeOf, messageOf } from '#base/errors';
import type { Logger } from '#base/logging';
import { answer, type Reply } from './answer.ts';
import type { Upstream } from './upstream.ts';
import type { Zone } from './zone.ts';

export interface DnsServerOptions {
  readonly address: string;
  /** Preferred; where it is taken the server listens on another (see `port`). 53 unless given. */
  readonly port?: number;
  readonly upstream: Upstream;
  /** Whether an address is of the cluster's ranges. */
  readonly owns: (address: string) => boolean;
  readonly log: Logger;
}

const connectionLimit = 256;
const idleTimeout = 10_000;
const plainUdpSize = 512;
const largestUdpSize = 1_232;

export class DnsServer {
  readonly #options: DnsServerOptions;
  #zone: Zone = emptyZone;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #port = 0;
  readonly #connections = new Set<Socket>();

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  /** Where it listens, once it does. */
  get port(): number {
    return this.#port;
  }

  /** From now on, answers come from this. */
  setZone(zone: Zone): void {
    this.#zone = zone;
  }

  /** Does nothing where it listens already. */
  async listen(): Promise<void> {
    if (this.#tcp !== undefined) return;
    const preferred = this.#options.port ?? 53;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#bind(attempt === 0 ? preferred : 0);
        return;
      } catch (error) {
        await this.close();
        if (codeOf(error) !== 'EADDRINUSE' || attempt === 5) throw error;
      }
    }
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    const udp = this.#udp;
    const tcp = this.#tcp;
    this.#udp = undefined;
    this.#tcp = undefined;
    await Promise.all([closed(udp), tcp?.listening === true ? closed(tcp) : undefined]);
  }

  async #bind(port: number): Promise<void> {
    const { address, log } = this.#options;
    const udp = createSocket('udp4');
    this.#udp = udp;
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind({ address, port, exclusive: true }, () => {
        udp.off('error', reject);
        resolve();
      });
    });
    udp.on('error', (error) => log.warn('the DNS socket reports an error', { reason: messageOf(error) }));
    this.#port = udp.address().port;
    udp.on('message', (query, from) => {
      this.#respond(query, from.address, false).then(
        (response) => {
          if (response !== undefined && this.#udp === udp) udp.send(response, from.port, from.address, () => undefined);
        },
        (error: unknown) => log.error('a DNS question could not be answered', { reason: messageOf(error) }),
      );
    });
    const tcp = createServer((connection) => this.#serve(connection));
    tcp.maxConnections = connectionLimit;
    this.#tcp = tcp;
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen({ host: address, port: this.#port, exclusive: true }, () => {
        tcp.off('error', reject);
        resolve();
      });
    });
    tcp.on('error', (error) => log.warn('the DNS server reports an error', { reason: messageOf(error) }));
  }

  #serve(connection: Socket): void {
    const { log } = this.#options;
    this.#connections.add(connection);
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('error', () => connection.destroy());
    connection.setTimeout(idleTimeout, () => connection.destroy());
    let received = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const length = received.readUInt16BE(0);
        const query = received.subarray(2, 2 + length);
        received = received.subarray(2 + length);
        this.#respond(query, connection.remoteAddress ?? '', true).then(
          (response) => {
            if (response === undefined || connection.destroyed) return;
            const prefix = Buffer.alloc(2);
            prefix.writeUInt16BE(response.length);
            connection.write(Buffer.concat([prefix, response]));
          },
          (error: unknown) => log.error('a DNS question could not be answered', { reason: messageOf(error) }),
        );
      }
    });
  }

  /** Undefined: what came is no question, and nobody waits for an answer. */
  async #respond(query: Buffer, client: string, overTcp: boolean): Promise<Buffer | undefined> {
    if (query.length < 12 || (query.readUInt8(2) & 0x80) !== 0) return undefined;
    let packet: Packet & { opcode?: string };
    try {
      packet = dnsPacket.decode(query);
    } catch {
      return failure(query, 1);
    }
    const [question] = packet.questions ?? [];
    if (packet.opcode !== 'QUERY') return failure(query, 4);
    if (question === undefined || packet.questions?.length !== 1) return failure(query, 1);
    const reply = answer(question, client, this.#zone, this.#options.owns);
    switch (reply.kind) {
      case 'forward':
        return this.#forward(query, packet, overTcp);
      case 'answer':
        return this.#encode(packet, reply, overTcp);
      case 'alias':
        return this.#encode(
          packet,
          { ...reply, kind: 'answer', code: 'NOERROR', answers: await this.#followed(reply, packet, client, overTcp), additionals: [] },
          overTcp,
        );
    }
  }

  async #forward(query: Buffer, packet: Packet, overTcp: boolean): Promise<Buffer> {
    const response = await this.#options.upstream.ask(query, overTcp);
    if (response === 'none') return this.#encode(packet, { kind: 'answer', code: 'NXDOMAIN', answers: [], additionals: [] }, overTcp);
    return response ?? failure(query, 2);
  }

  /** The alias with the addresses of what it stands for, as far as they can be had. */
  async #followed(reply: Extract<Reply, { kind: 'alias' }>, packet: Packet, client: string, overTcp: boolean): Promise<readonly Answer[]> {
    const question = packet.questions?.[0];
    if (question === undefined || question.type === 'CNAME') return reply.answers;
    const next = { name: reply.target, type: question.type };
    const known = answer(next, client, this.#zone, this.#options.owns);
    if (known.kind !== 'forward') return [...reply.answers, ...known.answers];
    const query = dnsPacket.encode({
      type: 'query',
      id: packet.id ?? 0,
      flags: RECURSION_DESIRED,
      questions: [{ ...question, name: reply.target }],
    });
    const response = await this.#options.upstream.ask(query, overTcp);
    if (response === undefined || response === 'none') return reply.answers;
    try {
      return [...reply.answers, ...(dnsPacket.decode(response).answers ?? [])];
    } catch {
      return reply.answers;
    }
  }

  #encode(packet: Packet, reply: Extract<Reply, { kind: 'answer' }>, overTcp: boolean): Buffer {
    const code = reply.code === 'NXDOMAIN' ? 3 : 0;
    const flags = AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | ((packet.flags ?? 0) & RECURSION_DESIRED) | code;
    const extension = packet.additionals?.find((record) => record.type === 'OPT');
    const advertised = extension !== undefined && 'udpPayloadSize' in extension ? (extension.udpPayloadSize ?? plainUdpSize) : plainUdpSize;
    const limit = overTcp ? 65_535 : Math.max(plainUdpSize, Math.min(advertised, largestUdpSize));
    const encode = (answers: readonly Answer[], additionals: readonly Answer[], extra: number): Buffer =>
      dnsPacket.encode({
        type: 'response',
        id: packet.id ?? 0,
        flags: flags | extra,
        questions: packet.questions ?? [],
        answers: [...answers],
        additionals: [...additionals, ...(extension === undefined ? [] : [optionRecord])],
      });
    const answers = shuffled(reply.answers);
    const whole = encode(answers, reply.additionals, 0);
    if (whole.length <= limit) return whole;
    for (let count = answers.length; count > 0; count = Math.floor(count / 2)) {
      const complete = count === answers.length;
      const part = encode(answers.slice(0, count), [], complete ? 0 : TRUNCATED_RESPONSE);
      if (part.length <= limit) return part;
    }
    return encode([], [], TRUNCATED_RESPONSE);
  }
}

function closed(socket: { close(callback: () => void): unknown } | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (socket === undefined) resolve();
    else socket.close(() => resolve());
  });
}

const optionRecord = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: largestUdpSize,
  flags: 0,
  options: [],
  extendedRcode: 0,
  ednsVersion: 0,
  flag_do: false,
} as Answer;

const emptyZone: Zone = {
  domain: 'cluster.local',
  services: new Map(),
  namespaces: new Set(),
  networks: new Map(),
  networksOfPod: new Map(),
  reverse: new Map(),
};

/** The question's header as an answer with this code, without records. */
function failure(query: Buffer, code: number): Buffer {
  const response = Buffer.from(query.subarray(0, 12));
  response.writeUInt8((query.readUInt8(2) & 0x79) | 0x80, 2);
  response.writeUInt8(0x80 | code, 3);
  response.fill(0, 4, 12);
  return response;
}

/** Most clients take the first: every endpoint is to be first at times. An alias stays before its addresses. */
function shuffled(answers: readonly Answer[]): Answer[] {
  const result = [...answers];
  if (result.some((record) => record.type === 'CNAME')) return result;
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [result[index], result[other]] = [result[other]!, result[index]!];
  }
  return result;
}
