/**
 * The flags that say where a cluster is kept: the same for every command that opens a store. A home remembers what its server was last started with, so
 * that a start with none of these flags goes on with the same store, and never with an empty one.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { codeOf, messageOf } from '#base/errors';
import { type BerthHome, berthHome } from '#cli/home';
import { UsageError, type VerbContext } from '#cli/verb';
import { type EtcdSecrets, type EtcdSettings, type StoreName, storeNames, storesInWords } from '#server/stores';
import { chosenOf } from './flags.ts';

export interface StoreFlags {
  readonly store?: string;
  readonly etcdEndpoints?: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdUser?: string;
  readonly etcdPasswordFile?: string;
  readonly etcdPrefix?: string;
}

export type ResolvedStoreFlags = StoreFlags & { readonly store: string };

/** Each flag of etcd, and whether it names a file. */
const etcdFlags = [
  ['etcdEndpoints', '--etcd-endpoints', '<urls>', "etcd's members, by comma: https://a:2379,https://b:2379", false],
  ['etcdCa', '--etcd-ca', '<file>', 'the authority that etcd is trusted by (PEM; else that of the system)', true],
  ['etcdCert', '--etcd-cert', '<file>', 'a certificate to show to etcd (PEM)', true],
  ['etcdKey', '--etcd-key', '<file>', 'its key (PEM)', true],
  ['etcdUser', '--etcd-user', '<name>', "a user of etcd's authentication", false],
  ['etcdPasswordFile', '--etcd-password-file', '<file>', 'a file with its password', true],
  ['etcdPrefix', '--etcd-prefix', '<prefix>', 'stands before every key, for an etcd that others use too', false],
] as const;

/** Adds the flags to a command. */
export function declareStoreFlags(command: Command): Command {
  command.option('--store <store>', `where the cluster is kept: ${storesInWords} (default: as last time, or else sqlite)`);
  for (const [, flag, argument, about] of etcdFlags) command.option(`${flag} ${argument}`, about);
  return command;
}

/** The flags, with absolute paths; what the home remembers where there are none. Throws `UsageError` when that cannot be read. */
export async function resolveStoreFlags(flags: StoreFlags, context: VerbContext): Promise<ResolvedStoreFlags> {
  const given = etcdFlags.flatMap(([name, , , , isFile]) => {
    const value = flags[name];
    return value === undefined ? [] : [[name, isFile ? resolve(context.workingDirectory, value) : value]];
  });
  if (flags.store === undefined && given.length === 0) return (await readRemembered(berthHome(context))) ?? { store: 'sqlite' };
  return { store: flags.store ?? 'sqlite', ...(Object.fromEntries(given) as StoreFlags) };
}

/** For the next start that is told nothing. Nothing but where files are: no secret. */
export async function rememberStore(home: BerthHome, flags: ResolvedStoreFlags): Promise<void> {
  if (flags.store === 'memory') return;
  const words = ['store', ...etcdFlags.map(([name]) => name)] as const;
  const text = `${JSON.stringify(Object.fromEntries(words.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]]))))}\n`;
  const path = join(home.server, rememberedFile);
  await mkdir(home.server, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.${process.pid}`, text, { mode: 0o600, flush: true });
  await rename(`${path}.${process.pid}`, path);
}

const rememberedFile = 'store.json';

async function readRemembered(home: BerthHome): Promise<ResolvedStoreFlags | undefined> {
  const path = join(home.server, rememberedFile);
  try {
    const found: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (
      typeof found !== 'object' ||
      found === null ||
      !('store' in found) ||
      !Object.values(found).every((value) => typeof value === 'string')
    ) {
      throw new Error('it is not what a server wrote');
    }
    return found as ResolvedStoreFlags;
  } catch (error) {
    // Where the folder is a file, the server says so.
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw new UsageError(
      `${path}, which says where the cluster is kept, cannot be read: ${messageOf(error)}`,
      'Say it with --store (and --etcd-endpoints ...) once; it is then written anew.',
    );
  }
}

/** What the flags, once resolved, say. Throws `UsageError` for flags that do not go together and files that cannot be read. */
export async function storeOf(
  flags: ResolvedStoreFlags,
  context: VerbContext,
): Promise<{ readonly store: StoreName; readonly etcd?: EtcdSettings }> {
  const store = chosenOf('--store', flags.store, storeNames);
  const given = etcdFlags.find(([name]) => flags[name] !== undefined);
  if (store !== 'etcd') {
    if (given !== undefined) throw new UsageError(`${given[1]} is for --store etcd, and the store is ${store}`);
    return { store };
  }
  const endpoints = (flags.etcdEndpoints ?? '').split(',').flatMap((text) => (text.trim() === '' ? [] : [text.trim()]));
  if (endpoints.length === 0)
    throw new UsageError('--store etcd needs --etcd-endpoints', 'For example: --etcd-endpoints http://127.0.0.1:2379');
  if ((flags.etcdCert === undefined) !== (flags.etcdKey === undefined)) throw new UsageError('--etcd-cert and --etcd-key come together');
  if ((flags.etcdUser === undefined) !== (flags.etcdPasswordFile === undefined)) {
    throw new UsageError('--etcd-user and --etcd-password-file come together');
  }
  const content = async (flag: string, path: string | undefined): Promise<string | undefined> => {
    if (path === undefined) return undefined;
    try {
      return await readFile(resolve(context.workingDirectory, path), 'utf8');
    } catch (error) {
      throw new UsageError(`${flag}: ${messageOf(error)}`);
    }
  };
  const secrets = async (): Promise<EtcdSecrets> =>
    withoutUndefined({
      certificateAuthority: await content('--etcd-ca', flags.etcdCa),
      certificate: await content('--etcd-cert', flags.etcdCert),
      key: await content('--etcd-key', flags.etcdKey),
      password: (await content('--etcd-password-file', flags.etcdPasswordFile))?.replace(/\r?\n$/, ''),
    });
  const settings = { ...(await secrets()), ...withoutUndefined({ user: flags.etcdUser, prefix: flags.etcdPrefix }) };
  return { store, etcd: { endpoints, ...settings, refresh: secrets } };
}

/** The flags, once resolved, for another process of Berth's. */
export function storeArguments(flags: ResolvedStoreFlags): string[] {
  const etcd = etcdFlags.flatMap(([name, flag]) => {
    const value = flags[name];
    return value === undefined ? [] : [flag, value];
  });
  return ['--store', flags.store, ...etcd];
}

/** What a further server needs to get the cluster's keys from the store that it shares with others. Throws `UsageError`. */
export async function serverTokenOf(path: string | undefined, store: StoreName, context: VerbContext): Promise<string | undefined> {
  if (path === undefined) return undefined;
  if (store !== 'etcd') throw new UsageError(`--server-token-file is for a store that servers share, and the store is ${store}`);
  try {
    return (await readFile(resolve(context.workingDirectory, path), 'utf8')).trim();
  } catch (error) {
    throw new UsageError(`--server-token-file: ${messageOf(error)}`);
  }
}

function withoutUndefined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
