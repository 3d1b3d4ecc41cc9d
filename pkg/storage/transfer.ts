/**
 * Moves a cluster between stores, by way of a file. An export is the state at one revision. An import fills an empty store, which then
 * carries on the exported one's history: the same incarnation, and revisions above all that it gave out. Invariant: a store holds all
 * of an import, or says that it does not; a file is taken whole, or not at all.
 *
 * The file has one JSON value a line: a header, `[key, value in base64]` for each key in order, and a footer with the SHA-256 of all
 * lines before it. It holds the cluster's secrets.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { formatTime } from '#base/clock';
import { codeOf } from '#base/errors';
import type { Backend, History, Revision } from './backend.ts';
import { type StorageOptions, type StoreName, storageDriver } from './index.ts';
import { internalKey, rootPrefix } from './keys.ts';
import { decodeJson, encodeJson } from './values.ts';

interface Header {
  readonly berthStore: number;
  readonly incarnation: string;
  readonly revision: Revision;
  readonly time: string;
}

interface Footer {
  readonly keys: number;
  readonly sha256: string;
}

export interface TransferOptions extends StorageOptions {
  /** Stops between two pages; what an import has written by then is known to be a part. */
  readonly signal: AbortSignal;
}

export interface Transferred {
  readonly keys: number;
  /** The exported store's. */
  readonly revision: Revision;
}

/** The one version of the file. */
const version = 1;
/** What a backend keeps of itself: not the cluster's. */
const ownPrefix = `${internalKey('store')}/`;
/** Stands in a store while an import is not complete. */
const unfinishedKey = internalKey('import');
const pageKeys = 2_000;
const writers = 64;

/** Opens a store for a server. Throws an error that says what is in the way: also an import that was not finished. */
export async function openStore(name: StoreName, options: StorageOptions): Promise<Backend> {
  const backend = await storageDriver(name).open(options);
  try {
    const { item } = await backend.get(unfinishedKey);
    if (item === undefined) return backend;
    const { time } = decodeJson(item.value) as Header;
    throw new Error(
      `the store holds a part of an import only (of the export made at ${time}): run "berth store import" again, with the same file`,
    );
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Writes the state of the store to a new file, which only its owner may read. Throws an error that says what is in the way. */
export async function exportStore(name: StoreName, options: TransferOptions, path: string): Promise<Transferred> {
  if (await exists(path)) throw new Error(`${path} exists already: choose another name, or remove it`);
  const backend = await openStore(lasting(name), options);
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, 'w', 0o600);
    try {
      const result = await writeExport(backend, file, options);
      await file.sync();
      await rename(partial, path);
      return result;
    } finally {
      await file.close();
    }
  } finally {
    await rm(partial, { force: true });
    await backend.close();
  }
}

async function writeExport(backend: Backend, file: FileHandle, { clock, signal }: TransferOptions): Promise<Transferred> {
  const revision = await backend.revision();
  const hash = createHash('sha256');
  let keys = 0;
  const write = async (values: readonly unknown[]): Promise<void> => {
    const lines = values.map((value) => `${JSON.stringify(value)}\n`).join('');
    hash.update(lines);
    await file.write(lines);
  };
  const header: Header = { berthStore: version, incarnation: backend.incarnation, revision, time: formatTime(clock.now()) };
  await write([header]);
  for await (const page of pagesOf(backend, revision)) {
    signal.throwIfAborted();
    keys += page.length;
    await write(page.map(({ key, value }) => [key, Buffer.from(value).toString('base64')]));
  }
  if (keys === 0) throw new Error('the store is empty: there is no cluster to export');
  const footer: Footer = { keys, sha256: hash.digest('hex') };
  await file.write(`${JSON.stringify(footer)}\n`);
  return { keys, revision };
}

/**
 * Fills the store from a file. It must be empty, or hold a part of an import only; no server may have it open. Throws an error that says what
 * is in the way.
 */
export async function importStore(name: StoreName, options: TransferOptions, path: string): Promise<Transferred> {
  const driver = storageDriver(lasting(name));
  const { header, keys } = await verify(path);
  const before = await driver.open(options);
  try {
    await empty(before, header);
  } finally {
    await before.close();
  }
  await driver.carryOn?.(options, { incarnation: header.incarnation, above: raisedAbove(header.revision, options.clock.now()) });
  const backend = await driver.open(options);
  try {
    await fill(backend, path, options.signal);
    await backend.commit({ compare: [], ops: [{ type: 'delete', key: unfinishedKey }] });
  } finally {
    await backend.close();
  }
  return { keys, revision: header.revision };
}

/**
 * To be called once when a store's content was put back from a backup of the store itself (a copy of the file, a snapshot of etcd), before
 * any server opens it: clients and agents then take it for what it is. Gives the revision from which it goes on.
 */
export async function carryOnRestored(name: StoreName, options: StorageOptions): Promise<Revision> {
  const driver = storageDriver(lasting(name));
  const backend = await openStore(name, options);
  let history: History;
  try {
    history = { above: raisedAbove(await backend.revision(), options.clock.now()) };
  } finally {
    await backend.close();
  }
  await driver.carryOn?.(options, history);
  return history.above;
}

/**
 * Beyond what a store may have given out after it was copied at `revision`; and, as time goes on, beyond what it gave out when the same copy
 * was put back before. (SQLite's rows are numbered up to 2^53, 128 a revision: that is not reached before 2190.)
 */
function raisedAbove(revision: Revision, now: number): Revision {
  return Math.max(revision + 1_000_000_000, Math.floor(now / 1000) * 10_000);
}

function lasting(name: StoreName): StoreName {
  if (storageDriver(name).carryOn === undefined)
    throw new Error(`what the store ${name} holds is lost with its server: there is nothing to export or import`);
  return name;
}

/** All that is the cluster's, page by page, at one revision. */
async function* pagesOf(backend: Backend, revision: Revision) {
  let start = rootPrefix;
  for (let more = true; more; ) {
    const page = await backend.list(rootPrefix, { revision, start, limit: pageKeys, count: false });
    yield page.items.filter(({ key }) => !key.startsWith(ownPrefix));
    more = page.more;
    // `!` is the least character of a key: this comes right after the last one.
    start = `${page.items.at(-1)?.key ?? start}!`;
  }
}

/** Throws unless there is nothing but, at most, a part of an import, which goes. Afterwards the store says that an import is not complete. */
async function empty(backend: Backend, header: Header): Promise<void> {
  const { item } = await backend.get(unfinishedKey);
  const revision = await backend.revision();
  for await (const page of pagesOf(backend, revision)) {
    if (item === undefined && page.length > 0) throw new Error('the store holds a cluster already: import into an empty one');
    await each(page, async ({ key }) => {
      if (key !== unfinishedKey) await backend.commit({ compare: [], ops: [{ type: 'delete', key }] });
    });
  }
  await backend.commit({ compare: [], ops: [{ type: 'put', key: unfinishedKey, value: encodeJson(header) }] });
}

async function fill(backend: Backend, path: string, signal: AbortSignal): Promise<void> {
  let page: [string, string][] = [];
  const write = async (): Promise<void> => {
    signal.throwIfAborted();
    await each(page, async ([key, value]) => {
      // Each object has a resourceVersion of its own, so it has a commit of its own.
      const result = await backend.commit({
        compare: [{ key, revision: 0 }],
        ops: [{ type: 'put', key, value: Buffer.from(value, 'base64') }],
      });
      if (!result.committed) throw new Error(`${key} was written by somebody else during the import: stop all servers, and import again`);
    });
    page = [];
  };
  for await (const line of linesOf(path)) {
    const parsed = JSON.parse(line) as Header | Footer | [string, string];
    if (Array.isArray(parsed) && page.push(parsed) === pageKeys) await write();
  }
  await write();
}

/** Some at a time. */
async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) await act(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(writers, items.length) }, worker));
}

/** Reads the file once to see that it is whole and what it says it is. */
async function verify(path: string): Promise<{ header: Header; keys: number }> {
  const hash = createHash('sha256');
  let header: Header | undefined;
  let footer: Footer | undefined;
  let keys = 0;
  let number = 0;
  for await (const line of linesOf(path)) {
    number++;
    const parsed = parseLine(line);
    if (footer !== undefined) throw damaged(path, `line ${number} comes after its end`);
    if (number === 1) {
      if (!isRecord(parsed) || typeof parsed.berthStore !== 'number')
        throw new Error(`${path} is no export of a store: its first line is no header`);
      if (parsed.berthStore !== version) {
        throw new Error(
          `${path} has the version ${parsed.berthStore} and this version of Berth reads ${version}: use the version that wrote it`,
        );
      }
      if (typeof parsed.incarnation !== 'string' || !Number.isSafeInteger(parsed.revision))
        throw damaged(path, 'its header is not complete');
      header = parsed as unknown as Header;
    } else if (Array.isArray(parsed)) {
      const [key, value] = parsed as unknown[];
      if (typeof key !== 'string' || typeof value !== 'string' || !key.startsWith(rootPrefix))
        throw damaged(path, `line ${number} is no key with its value`);
      keys++;
    } else if (isRecord(parsed) && typeof parsed.sha256 === 'string') {
      footer = parsed as unknown as Footer;
      continue;
    } else throw damaged(path, `line ${number} is nothing that an export has`);
    hash.update(`${line}\n`);
  }
  if (header === undefined) throw new Error(`${path} is empty`);
  if (footer === undefined) throw damaged(path, 'its end is missing');
  if (footer.keys !== keys || footer.sha256 !== hash.digest('hex')) throw damaged(path, 'it is not what was exported');
  return { header, keys };
}

async function* linesOf(path: string): AsyncGenerator<string, void, undefined> {
  const file = await open(path);
  try {
    yield* file.readLines();
  } finally {
    await file.close();
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(path: string, why: string): Error {
  return new Error(`${path} is damaged: ${why}; nothing was imported`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
