/**
 * Where the node's servers are: as the agent was told at its start, and as the servers say since. Kept on disk, so that an agent is started again with no
 * flags, and finds the cluster when those it was told of are gone.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Servers as ServersMessage } from '#rpc/generated/agent';
import { writeDurably } from '../durable-file.ts';

export async function readServers(directory: string): Promise<readonly string[]> {
  const text = await readFile(join(directory, 'servers'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

export async function writeServers(directory: string, servers: readonly string[]): Promise<void> {
  if ((await readServers(directory)).join() === servers.join()) return;
  await writeDurably(join(directory, 'servers'), `${servers.join('\n')}\n`, 0o600);
}

export class KnownServers {
  readonly #directory: string;
  readonly #given: readonly string[];
  readonly #log: Logger;
  readonly #listeners: (() => void)[] = [];
  #told: readonly { readonly name: string; readonly address: string }[] = [];
  #own = '';
  #writing: Promise<void> = Promise.resolve();

  /** `given`: what it was started with, or was on disk; at least one. */
  constructor(directory: string, given: readonly string[], log: Logger) {
    this.#directory = directory;
    this.#given = given;
    this.#log = log;
  }

  /** `host:port` of all, those that were given first. */
  get addresses(): readonly string[] {
    return [...new Set([...this.#given, ...this.#told.map(({ address }) => address)])];
  }

  /** All but the one that the session is with. */
  get others(): readonly string[] {
    return this.#told.filter(({ name }) => name !== this.#own).map(({ address }) => address);
  }

  /** What the session's server says. */
  take({ own, servers }: ServersMessage): void {
    this.#own = own;
    this.#told = servers;
    const { addresses } = this;
    this.#writing = this.#writing
      .then(() => writeServers(this.#directory, addresses))
      .catch((error: unknown) => this.#log.error('cannot keep where the servers are', { error: messageOf(error) }));
    for (const listener of this.#listeners) listener();
  }

  /** `listener` is called whenever a server has said which there are. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
