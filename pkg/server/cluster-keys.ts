/**
 * The keys that all servers of a cluster have in common (its authority, the key that signs tokens), and how a further server comes by them: from the
 * store, where they lie encrypted under a server token. Invariant: a private key is never in the store as it is, and keys that are there are never
 * replaced by others. A server that has the keys already needs no token.
 */
import {
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  type ScryptOptions,
  scrypt,
  X509Certificate,
} from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Pki, readOptional, writeAtomically } from '#apiserver/auth/pki';
import type { Logger } from '#base/logging';
import type { Backend } from '#storage/backend';
import { internalKey } from '#storage/keys';
import { decodeJson, encodeJson } from '#storage/values';

export interface ClusterKeysOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  /** The folder of the keys. */
  readonly directory: string;
  readonly backend: Backend;
  /** As the operator gave it; else the one that the home keeps, if it does. */
  readonly token: string | undefined;
  readonly log: Logger;
}

/** What all servers must have alike, in the order in which it is written: a certificate after its key, so that a start that was cut short is known as such. */
const shared = ['sa.key', 'ca.key', 'ca.crt'] as const;
/** What a server makes of these for itself. */
const derived = ['server.key', 'server.crt', 'admin.key', 'admin.crt'] as const;

type Files = Partial<Record<(typeof shared)[number], string>>;

interface KeyRecord {
  readonly format: 1;
  /** SHA-256 of each file, in hex; those of private keys say nothing of the keys. */
  readonly files: Readonly<Record<string, string>>;
  readonly scrypt: { readonly salt: string; readonly N: number; readonly r: number; readonly p: number };
  readonly nonce: string;
  /** AES-256-GCM over the files as JSON, with `files` as additional data; base64. */
  readonly data: string;
}

/** Where they stand. */
export const clusterKeysKey = internalKey('cluster', 'keys');
/** A token is guessed at by whoever reads the store, for as long as he likes. */
const shortestToken = 32;
const howToJoin = '--server-token-file and a copy of $BERTH_HOME/server-token of one of its servers';
const cost = { N: 2 ** 15, r: 8, p: 1 };

/**
 * Opens the folder with the keys of the cluster in the store, which gets them from the folder where it has none. Throws an error that says what is in
 * the way: no token, the wrong one, or the keys of another cluster.
 */
export async function openSharedPki(options: ClusterKeysOptions, openFolder: () => Promise<Pki>): Promise<Pki> {
  for (;;) {
    const { isNew } = await take(options);
    const pki = await openFolder();
    if (await give(options, isNew)) return pki;
  }
}

/** Takes over the keys in the store, if there are any. Gives whether there are none, and the folder has no authority either. */
async function take(options: ClusterKeysOptions): Promise<{ readonly isNew: boolean }> {
  const { directory, backend, log } = options;
  const local = await readFiles(directory);
  const { item } = await backend.get(clusterKeysKey);
  if (item === undefined) return { isNew: local['ca.crt'] === undefined };
  const record = parse(item.value);
  const authority = local['ca.crt'];
  if (authority !== undefined && digest(authority) !== record.files['ca.crt']) throw foreign(directory, authority);
  const wanting = shared.filter((file) => record.files[file] !== undefined && digest(local[file] ?? '') !== record.files[file]);
  if (wanting.length === 0) return { isNew: false };
  const token = await tokenOf(options);
  if (token === undefined) {
    throw new Error(
      authority === undefined
        ? `the store holds a cluster that has servers already: start this one with ${howToJoin}`
        : `${directory} has not the ${wanting.join(' and ')} of the cluster in the store: start with ${howToJoin}`,
    );
  }
  const files = await open(record, token);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const file of shared) {
    const content = files[file];
    if (wanting.includes(file) && content !== undefined)
      await writeAtomically(join(directory, file), content, file === 'ca.crt' ? 0o644 : 0o600);
  }
  await keepToken(options, token);
  log.info('took the keys of the cluster from the store', { files: wanting });
  return { isNew: false };
}

/** Puts what the folder has, and the store has not, into the store, encrypted. False: another server was first, so begin anew with what it has put. */
async function give(options: ClusterKeysOptions, isNew: boolean): Promise<boolean> {
  const { home, directory, backend, log } = options;
  const local = await readFiles(directory);
  const given = await tokenOf(options);
  const token = given ?? randomBytes(32).toString('base64url');
  for (;;) {
    const { item } = await backend.get(clusterKeysKey);
    const record = item === undefined ? undefined : parse(item.value);
    if (record !== undefined && digest(local['ca.crt'] ?? '') !== record.files['ca.crt']) {
      if (!isNew) throw foreign(directory, local['ca.crt'] ?? '');
      // Nothing was signed with what this start has made.
      for (const file of [...shared, ...derived]) await rm(join(directory, file), { force: true });
      if (given === undefined) await rm(join(home, tokenFile), { force: true });
      return false;
    }
    if (record !== undefined && shared.every((file) => record.files[file] !== undefined || local[file] === undefined)) return true;
    if (given === undefined && record !== undefined) {
      log.warn(`the store has not all keys that servers share, and they cannot be added without ${howToJoin}`, { directory });
      return true;
    }
    const files = record === undefined ? local : { ...local, ...(await open(record, token)) };
    // Before the store has it: what is there can always be opened again.
    await keepToken(options, token);
    const value = encodeJson(await seal(files, token));
    const compare = [{ key: clusterKeysKey, revision: item?.revision ?? 0 }];
    if ((await backend.commit({ compare, ops: [{ type: 'put', key: clusterKeysKey, value }] })).committed) return true;
  }
}

async function seal(files: Files, token: string): Promise<KeyRecord> {
  const digests = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, digest(content)]));
  const kdf = { salt: randomBytes(16).toString('base64'), ...cost };
  const nonce = randomBytes(12);
  const cipher: CipherGCM = createCipheriv('aes-256-gcm', await derive(token, kdf), nonce);
  cipher.setAAD(Buffer.from(JSON.stringify(digests)));
  const data = Buffer.concat([cipher.update(JSON.stringify(files), 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { format: 1, files: digests, scrypt: kdf, nonce: nonce.toString('base64'), data: data.toString('base64') };
}

async function open(record: KeyRecord, token: string): Promise<Files> {
  const data = Buffer.from(record.data, 'base64');
  const key = await derive(token, record.scrypt);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(record.nonce, 'base64'));
    decipher.setAAD(Buffer.from(JSON.stringify(record.files)));
    decipher.setAuthTag(data.subarray(-16));
    return JSON.parse(Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()]).toString('utf8')) as Files;
  } catch (error) {
    throw new Error(
      'the server token is not the one of the cluster in the store: take that of $BERTH_HOME/server-token of one of its servers',
      {
        cause: error,
      },
    );
  }
}

function derive(token: string, { salt, N, r, p }: KeyRecord['scrypt']): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(token, Buffer.from(salt, 'base64'), 32, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function parse(value: Uint8Array): KeyRecord {
  const record = decodeJson(value) as KeyRecord;
  if (record.format !== 1)
    throw new Error(
      `the keys of the cluster in the store have the format ${String(record.format)}, which this version of Berth does not read`,
    );
  return record;
}

/** What was given, or what the home keeps. */
async function tokenOf({ home, token }: ClusterKeysOptions): Promise<string | undefined> {
  const found = (token ?? (await readOptional(join(home, tokenFile))))?.trim();
  if (found !== undefined && found.length < shortestToken) throw new Error(`a server token has at least ${shortestToken} characters`);
  return found;
}

const tokenFile = 'server-token';

async function keepToken({ home }: ClusterKeysOptions, token: string): Promise<void> {
  const path = join(home, tokenFile);
  if ((await readOptional(path))?.trim() !== token) await writeAtomically(path, `${token}\n`, 0o600);
}

async function readFiles(directory: string): Promise<Files> {
  const contents = await Promise.all(shared.map((file) => readOptional(join(directory, file))));
  return Object.fromEntries(shared.flatMap((file, index) => (contents[index] === undefined ? [] : [[file, contents[index]]])));
}

function foreign(directory: string, authority: string): Error {
  let fingerprint = 'unreadable';
  try {
    fingerprint = new X509Certificate(authority).fingerprint256;
  } catch {
    // The message says enough.
  }
  return new Error(
    `${join(directory, 'ca.crt')} (SHA-256 ${fingerprint}) is not the authority of the cluster in the store: is this the right store, or the right $BERTH_HOME? To join as a new server, use an empty one and --server-token-file`,
  );
}

function digest(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
