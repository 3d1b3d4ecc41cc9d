/**
 * Asks the machine's own name servers what the cluster does not know. Never waits for long: one server has two seconds, one that did not
 * answer is passed over for a while, and without any the answer is "no such name" at once.
 */
import { createSocket } from 'node:dgram';
import { readFile, stat } from 'node:fs/promises';
import { connect, isIPv6 } from 'node:net';
import dnsPacket, { type Packet } from 'dns-packet';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Logger } from '#base/logging';
import { parseResolvConf } from './resolv-conf.ts';

export interface UpstreamOptions {
  /** `/etc/resolv.conf` unless given; read again when it changes. */
  readonly resolvConf?: string;
  /** Port of the servers; 53 unless given. */
  readonly port?: number;
  /** Our own addresses, which must never be asked. */
  readonly ownAddresses: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

const serverTimeout = 2_000;
const downTime = 10_000;
const rereadInterval = 5_000;
const longestCached = 30;
const negativeCached = 5;
const cacheSize = 2_000;

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #cache = new Map<string, { readonly until: number; readonly response: Buffer }>();
  /** When a server may be asked again. */
  readonly #downUntil = new Map<string, number>();
  #servers: readonly string[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #modified = -1;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** The response to `query` (a whole message, whose id it carries); undefined when no server answered, `none` when there is none to ask. */
  async ask(query: Buffer, overTcp: boolean): Promise<Buffer | 'none' | undefined> {
    const { clock, log } = this.#options;
    const key = `${overTcp}${query.subarray(2).toString('latin1')}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined && cached.until > clock.monotonic()) return withId(cached.response, query.readUInt16BE(0));
    const servers = await this.#upstreamServers();
    if (servers.length === 0) return 'none';
    for (const server of servers) {
      if ((this.#downUntil.get(server) ?? Number.NEGATIVE_INFINITY) > clock.monotonic()) continue;
      try {
        const response = await (overTcp ? askTcp : askUdp)(server, this.#options.port ?? 53, query);
        this.#downUntil.delete(server);
        this.#remember(key, response);
        return response;
      } catch (error) {
        this.#downUntil.set(server, clock.monotonic() + downTime);
        log.debug('a name server does not answer', { server, reason: messageOf(error) });
      }
    }
    return undefined;
  }

  async #upstreamServers(): Promise<readonly string[]> {
    const { clock, ownAddresses, log } = this.#options;
    if (clock.monotonic() - this.#readAt < rereadInterval) return this.#servers;
    this.#readAt = clock.monotonic();
    const path = this.#options.resolvConf ?? '/etc/resolv.conf';
    try {
      const { mtimeMs } = await stat(path);
      if (mtimeMs !== this.#modified) {
        this.#modified = mtimeMs;
        this.#servers = parseResolvConf(await readFile(path, 'utf8')).servers.filter((server) => !ownAddresses.includes(server));
      }
    } catch (error) {
      log.debug('the name servers of this machine are unknown', { path, reason: messageOf(error) });
      this.#servers = [];
    }
    return this.#servers;
  }

  #remember(key: string, response: Buffer): void {
    const seconds = secondsToKeep(response);
    if (seconds <= 0) return;
    if (this.#cache.size >= cacheSize) {
      const oldest = this.#cache.keys().next();
      if (!oldest.done) this.#cache.delete(oldest.value);
    }
    this.#cache.delete(key);
    this.#cache.set(key, { until: this.#options.clock.monotonic() + seconds * 1_000, response });
  }
}

/** 0: not at all (a failure, or cut short). */
function secondsToKeep(response: Buffer): number {
  let packet: Packet & { rcode?: string; flag_tc?: boolean };
  try {
    packet = dnsPacket.decode(response);
  } catch {
    return 0;
  }
  if (packet.flag_tc === true) return 0;
  if (packet.rcode === 'NXDOMAIN') return negativeCached;
  if (packet.rcode !== 'NOERROR') return 0;
  const lives = (packet.answers ?? []).map((record) => ('ttl' in record ? (record.ttl ?? 0) : 0));
  return lives.length === 0 ? negativeCached : Math.min(longestCached, ...lives);
}

function withId(response: Buffer, id: number): Buffer {
  const copy = Buffer.from(response);
  copy.writeUInt16BE(id, 0);
  return copy;
}

function askUdp(server: string, port: number, query: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // A socket a question: its port is random, which makes a forged answer hard.
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const finish = (error: Error | undefined, response?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      if (response === undefined) reject(error);
      else resolve(response);
    };
    const timer = setTimeout(() => finish(new Error('no answer in time')), serverTimeout);
    socket.on('error', (error) => finish(error));
    socket.on('message', (message) => {
      if (message.length >= 12 && message.readUInt16BE(0) === query.readUInt16BE(0)) finish(undefined, message);
    });
    socket.connect(port, server, () => socket.send(query));
  });
}

function askTcp(server: string, port: number, query: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port });
    let received = Buffer.alloc(0);
    socket.setTimeout(serverTimeout, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('the connection ended early')));
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
  });
}
