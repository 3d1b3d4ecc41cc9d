/**
 * The thread that owns the embedded store's database. It does one thing at a time, in the order of the messages: so reads see
 * whole transactions only, and a commit sees all before it.
 */
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { LogDatabase, Refusal } from './log-database.mjs';

/** @import { PackedError, Reply, Request, WorkerOptions } from './protocol.ts' */

const { path, history } = /** @type {WorkerOptions} */ (workerData);
/** Names the process that has the store open, for the error of a second one; the lock itself is SQLite's. */
const ownerFile = `${path}.owner`;

/** @param {Reply} reply @param {ArrayBuffer[]} [transfer] */
function send(reply, transfer) {
  parentPort?.postMessage(reply, transfer);
}

/** @param {LogDatabase} database */
function serve(database) {
  let sweeping = false;
  let closed = false;

  const sweepSoon = () => {
    if (sweeping || closed) return;
    sweeping = true;
    setImmediate(() => {
      sweeping = false;
      if (closed) return;
      try {
        if (database.sweep()) sweepSoon();
      } catch (error) {
        // Without room it goes on with the next compaction; nothing depends on it.
        if (!isFull(error)) fail(error);
      }
    });
  };

  /** @param {unknown} error */
  const fail = (error) => {
    closed = true;
    send({ type: 'failed', message: `the store ${path} failed: ${messageOf(error)}` });
    parentPort?.close();
  };

  /** @param {Request} request */
  const answer = (request) => {
    switch (request.type) {
      case 'commit':
        return database.commit(request);
      case 'get':
        return database.get(request);
      case 'list':
        return database.list(request);
      case 'log':
        return database.log(request);
      case 'compact':
        database.compact(request.revision);
        sweepSoon();
        return { done: true };
      case 'close':
        closed = true;
        database.close();
        rmSync(ownerFile, { force: true });
        return { done: true };
      default:
        throw new Error(`the store's thread knows no request ${JSON.stringify(request)}`);
    }
  };

  parentPort?.on('message', (/** @type {{ id: number, request: Request }} */ { id, request }) => {
    if (closed) return;
    try {
      const result = answer(request);
      send({ type: 'reply', id, result }, 'data' in result && result.data.length > 0 ? [result.data.buffer] : []);
    } catch (error) {
      const packed = packError(error);
      send({ type: 'reply', id, error: packed });
      // After a failed write to the disk nobody knows what is on it; opening the store anew tells.
      if (packed.kind === 'unknown') fail(error);
    }
  });
  send({ type: 'opened', incarnation: database.incarnation, revision: database.revision });
  sweepSoon();
}

/** @param {unknown} error @returns {PackedError} */
function packError(error) {
  if (error instanceof Refusal) return { kind: error.kind, message: error.message, revision: error.revision };
  if (isFull(error)) return { kind: 'full', message: `the disk of the store ${path} is full: make room on it` };
  return { kind: codeOf(error).startsWith('SQLITE_IOERR') ? 'unknown' : 'other', message: `the store ${path}: ${messageOf(error)}` };
}

/** @param {unknown} error */
function refusal(error) {
  if (codeOf(error) !== 'SQLITE_BUSY') return `the store ${path} cannot be opened: ${messageOf(error)}`;
  let owner = 'another process';
  try {
    owner = `process ${readFileSync(ownerFile, 'utf8').trim()}`;
  } catch {
    // The file is a courtesy.
  }
  return `the store ${path} is in use by ${owner}: stop that first, or give this server a data folder of its own`;
}

/** The store holds secrets: it is its owner's alone (what SQLite puts beside it gets the same mode). */
function makePrivate() {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    const folder = openSync(dirname(path), 'r');
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    // Only a new file is opened here: closing one that SQLite has open in this process would drop its locks.
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function writeOwner() {
  try {
    writeFileSync(ownerFile, `${process.pid}\n`);
  } catch (error) {
    // On a full disk the server starts all the same, to let people read and make room.
    if (codeOf(error) !== 'ENOSPC') throw error;
  }
}

/** @param {unknown} error */
function isFull(error) {
  return codeOf(error) === 'SQLITE_FULL';
}

/** @param {unknown} error @returns {string} */
function codeOf(error) {
  return /** @type {{ code?: string }} */ (error).code ?? '';
}

/** @param {unknown} error @returns {string} */
function messageOf(error) {
  return /** @type {{ message?: string }} */ (error).message ?? String(error);
}

try {
  makePrivate();
  const database = new LogDatabase(path, history);
  writeOwner();
  serve(database);
} catch (error) {
  send({ type: 'refused', message: refusal(error) });
}
