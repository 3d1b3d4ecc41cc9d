/** The flags that say where a cluster is kept: the same for every command that opens a store. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { messageOf } from '#base/errors';
import { UsageError, type VerbContext } from '#cli/verb';
import { type EtcdSettings, type StoreName, storeNames, storesInWords } from '#server/stores';
import { chosenOf } from './flags.ts';

export interface StoreFlags {
  readonly store: string;
  readonly etcdEndpoints?: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdUser?: string;
  readonly etcdPasswordFile?: string;
  readonly etcdPrefix?: string;
}

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
  command.option('--store <store>', `where the cluster is kept: ${storesInWords}`, 'sqlite');
  for (const [, flag, argument, about] of etcdFlags) command.option(`${flag} ${argument}`, about);
  return command;
}

/** What the flags say. Throws `UsageError` for flags that do not go together and files that cannot be read. */
export async function storeOf(
  flags: StoreFlags,
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
  const settings = {
    certificateAuthority: await content('--etcd-ca', flags.etcdCa),
    certificate: await content('--etcd-cert', flags.etcdCert),
    key: await content('--etcd-key', flags.etcdKey),
    user: flags.etcdUser,
    password: (await content('--etcd-password-file', flags.etcdPasswordFile))?.replace(/\r?\n$/, ''),
    prefix: flags.etcdPrefix,
  };
  return { store, etcd: { endpoints, ...withoutUndefined(settings) } };
}

/** The same flags for another process of Berth's, which has another working directory. */
export function storeArguments(flags: StoreFlags, context: VerbContext): string[] {
  const etcd = etcdFlags.flatMap(([name, flag, , , isFile]) => {
    const value = flags[name];
    return value === undefined ? [] : [flag, isFile ? resolve(context.workingDirectory, value) : value];
  });
  return ['--store', flags.store, ...etcd];
}

function withoutUndefined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
