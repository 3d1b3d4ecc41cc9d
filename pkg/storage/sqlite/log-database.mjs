/**
 * The tables of the embedded store, and what can be asked of them; used by `sqlite-worker.mjs` alone, in its thread. Plain
 * JavaScript, because threads do not go through a compiler; requests and replies are typed in `protocol.ts`.
 *
 * `log` has a row for each version of each key; the newest row of a key is what it is, and one without a value says that it was
 * deleted. `id` is the revision and the op's place in its commit. `previous_id` is the row that this one superseded: what
 * compaction may delete.
 */
import { randomUUID } from 'node:crypto';
import Database from 'libsql';

/** @import { History } from '../backend.ts' */
/** @import { PackedItem, PackedResult, PackedVersion, Replies, Request } from './protocol.ts' */
/** @typedef {{ id: number, createRevision: number, value: Uint8Array }} Version */

/** The version of the tables. */
const format = 1;
/** Ids a revision has: more than a commit has ops. */
const idsPerRevision = 128;
/** Rows of the log that one step of compaction looks at, and free pages that one step gives back to the disk. */
const sweepRows = 1000;
const vacuumPages = 500;
/** Free pages that are kept for new rows. */
const keptFreePages = 1000;
/** Bounds of one reply. */
const pageRows = 1000;
const pageBytes = 4 * 1024 * 1024;

/** How SQLite counts this mode. */
const incrementalVacuum = 2;

const settings = [
  // No other process gets in, and there is no shared-memory file, whose mapping would end the process on a full disk.
  'locking_mode = EXCLUSIVE',
  'journal_mode = WAL',
  'synchronous = FULL',
  'wal_autocheckpoint = 4000',
  'journal_size_limit = 33554432',
  'cache_size = -16384',
];

/** A request that cannot be answered: `kind` says which error of `backend.ts` that is. */
export class Refusal extends Error {
  /** @param {'compacted' | 'future'} kind @param {number} revision */
  constructor(kind, revision) {
    super(kind);
    this.kind = kind;
    this.revision = revision;
  }
}

export class LogDatabase {
  #database;
  #statements;
  #revision;
  #compactRevision;
  /** Up to here the log holds nothing more that compaction may delete. */
  #sweptId;
  /** Pages were given back since the last checkpoint. */
  #vacuumed = false;

  /** Opens the file, or makes it. @param {string} path @param {History} [history] what it is to carry on */
  constructor(path, history) {
    this.#database = new Database(path);
    this.#database.pragma(settings[0]);
    // Only for a new file: said again, it is written again, and an existing store must open on a full disk.
    if (this.#database.pragma('auto_vacuum')[0].auto_vacuum !== incrementalVacuum) this.#database.pragma('auto_vacuum = INCREMENTAL');
    for (const setting of settings.slice(1)) this.#database.pragma(setting);
    this.#transaction(() => this.#prepareTables(history));
    this.#statements = prepareStatements(this.#database);
    this.#revision = Number(this.#meta('revision'));
    this.#compactRevision = Number(this.#meta('compact_revision'));
    this.#sweptId = Number(this.#meta('swept_id'));
  }

  get revision() {
    return this.#revision;
  }

  get incarnation() {
    return String(this.#meta('incarnation'));
  }

  /** All commits in one transaction: durable when this returns, and none of them when it throws.
   * @param {Extract<Request, { type: 'commit' }>} request @returns {Replies['commit']} */
  commit({ commits, data }) {
    const values = new Values();
    let next = this.#revision;
    let at = 0;
    const results = this.#transaction(() => {
      const done = commits.map(
        /** @returns {PackedResult} */ ({ compare, ops }) => {
          const current = compare.map(([key]) => this.#newest(key));
          const holds = compare.every(([, expected], index) => revisionOf(current[index]?.id ?? 0) === expected);
          if (!holds) {
            for (const [, length] of ops) at += Math.max(0, length);
            return { current: current.map((version) => values.pack(version)) };
          }
          const own = next + 1;
          const previous = ops.map(([key, length], index) => {
            const before = this.#newest(key);
            if (length >= 0 || before !== undefined) {
              const value = length < 0 ? null : data.subarray(at, at + length);
              this.#statements.insert.run([own * idsPerRevision + index, key, value, before?.createRevision ?? own, before?.id ?? null]);
              next = own;
            }
            at += Math.max(0, length);
            return values.pack(before);
          });
          return { revision: next, previous };
        },
      );
      if (next !== this.#revision) this.#setMeta('revision', next);
      return done;
    });
    this.#revision = next;
    return { results, revision: next, data: values.join() };
  }

  /** @param {Extract<Request, { type: 'get' }>} request @returns {Replies['get']} */
  get({ key }) {
    const values = new Values();
    return { item: values.pack(this.#newest(key)), revision: this.#revision, data: values.join() };
  }

  /** @param {Extract<Request, { type: 'list' }>} request @returns {Replies['list']} */
  list({ start, end, revision: asked, limit, count }) {
    const revision = asked === 0 ? this.#revision : asked;
    this.#checkReadable(revision);
    const values = new Values();
    /** @type {PackedItem[]} */
    const items = [];
    let from = start;
    let next;
    while (next === undefined) {
      const keys = this.#statements.keysAt.all([from, end, lastId(revision), pageRows]);
      for (const [key, id] of keys) {
        const [createRevision, value] = this.#statements.row.get([id]);
        if (value === null) continue;
        if (items.length >= Math.min(limit, pageRows) || values.length >= pageBytes) {
          next = key;
          break;
        }
        items.push([key, revisionOf(id), createRevision, values.add(value)]);
      }
      if (keys.length < pageRows) break;
      // `!` is the least character of a key: this comes right after the last one.
      from = `${keys.at(-1)[0]}!`;
    }
    const total = count ? this.#statements.countAt.get([start, end, lastId(revision)])[0] : 0;
    return { items, revision, next, count: total, data: values.join() };
  }

  /** @param {Extract<Request, { type: 'log' }>} request @returns {Replies['log']} */
  log({ start, end, after }) {
    this.#checkReadable(after);
    const values = new Values();
    /** @type {Replies['log']['events'][number][]} */
    const events = [];
    let reached = this.#revision;
    const rows = this.#statements.logAfter.all([lastId(after), start, end, pageRows + idsPerRevision]);
    for (const [id, key, previousId] of rows) {
      const revision = revisionOf(id);
      const before = events.at(-1)?.item[1] ?? revision;
      // A page ends with a whole revision.
      if (revision !== before && (events.length >= pageRows || values.length >= pageBytes)) {
        reached = before;
        break;
      }
      const [createRevision, value] = this.#statements.row.get([id]);
      /** @type {PackedItem} */
      const item = [key, revision, createRevision, values.add(value)];
      events.push({ item, previous: previousId === null ? undefined : values.pack(this.#version(previousId)) });
    }
    return { events, revision: reached, data: values.join() };
  }

  /** Forgets at once what was before `revision`; `sweep` then deletes it. @param {number} revision */
  compact(revision) {
    if (revision > this.#revision) throw new Refusal('future', this.#revision);
    if (revision <= this.#compactRevision) return;
    this.#transaction(() => this.#setMeta('compact_revision', revision));
    this.#compactRevision = revision;
  }

  /** Deletes a little of what is superfluous, and gives room back to the disk. Returns whether there is more to do. */
  sweep() {
    const end = lastId(this.#compactRevision);
    if (this.#sweptId < end) {
      const through = this.#statements.sweepEnd.get([this.#sweptId, end, sweepRows])[0] ?? end;
      this.#transaction(() => {
        this.#statements.sweepPrevious.run([this.#sweptId, through]);
        this.#statements.sweepDeletions.run([this.#sweptId, through]);
        this.#setMeta('swept_id', through);
      });
      this.#sweptId = through;
      return true;
    }
    if (this.#statements.freePages.get([])[0] >= keptFreePages + vacuumPages) {
      this.#database.pragma(`incremental_vacuum(${vacuumPages})`);
      this.#vacuumed = true;
      return true;
    }
    // The file itself gets shorter only now.
    if (this.#vacuumed) this.#database.pragma('wal_checkpoint(TRUNCATE)');
    this.#vacuumed = false;
    return false;
  }

  /** The last of the file is let go when the thread ends, and with it the statements. */
  close() {
    this.#database.close();
  }

  /** @param {History} [history] */
  #prepareTables(history) {
    const database = this.#database;
    const exists = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get() !== undefined;
    if (!exists) {
      database.exec('CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID');
      database.exec(
        'CREATE TABLE log (id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, create_revision INTEGER NOT NULL, previous_id INTEGER)',
      );
      database.exec('CREATE INDEX log_key ON log (key)');
      const insert = database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)');
      const initial = { format, incarnation: randomUUID(), revision: 1, compact_revision: 0, swept_id: 0 };
      for (const row of Object.entries(initial)) insert.run(row);
    }
    const stored = this.#meta('format');
    if (stored !== format)
      throw new Error(`it has the format ${stored} and this version of Berth reads ${format}: use the version that wrote it`);
    if (history === undefined) return;
    const raised = Math.max(Number(this.#meta('revision')), history.above);
    this.#setMeta('revision', raised);
    this.#setMeta('compact_revision', raised);
    if (history.incarnation !== undefined) this.#setMeta('incarnation', history.incarnation);
  }

  /** @param {string} name */
  #meta(name) {
    return this.#database.prepare('SELECT value FROM meta WHERE name = ?').raw().get([name])?.[0];
  }

  /** @param {string} name @param {string | number} value */
  #setMeta(name, value) {
    this.#database.prepare('UPDATE meta SET value = ? WHERE name = ?').run([value, name]);
  }

  /** The newest version of a key. @param {string} key @returns {Version | undefined} */
  #newest(key) {
    const row = this.#statements.newest.get([key]);
    return row === undefined || row[2] === null ? undefined : { id: row[0], createRevision: row[1], value: row[2] };
  }

  /** @param {number} id @returns {Version} */
  #version(id) {
    const [createRevision, value] = this.#statements.row.get([id]);
    return { id, createRevision, value };
  }

  /** @param {number} revision */
  #checkReadable(revision) {
    if (revision < this.#compactRevision) throw new Refusal('compacted', this.#compactRevision);
    if (revision > this.#revision) throw new Refusal('future', this.#revision);
  }

  /** @template T @param {() => T} run @returns {T} */
  #transaction(run) {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = run();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      // On a full disk SQLite may have rolled back by itself.
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** @param {Database.Database} database */
function prepareStatements(database) {
  /** @param {string} sql */
  const query = (sql) => database.prepare(sql).raw();
  return {
    newest: query('SELECT id, create_revision, value FROM log WHERE key = ? ORDER BY id DESC LIMIT 1'),
    row: query('SELECT create_revision, value FROM log WHERE id = ?'),
    insert: database.prepare('INSERT INTO log (id, key, value, create_revision, previous_id) VALUES (?, ?, ?, ?, ?)'),
    keysAt: query('SELECT key, max(id) FROM log WHERE key >= ? AND key < ? AND id <= ? GROUP BY key ORDER BY key LIMIT ?'),
    countAt: query(
      'SELECT count(*) FROM log WHERE value IS NOT NULL AND id IN (SELECT max(id) FROM log WHERE key >= ? AND key < ? AND id <= ? GROUP BY key)',
    ),
    // `+` keeps SQLite from using the index on keys: rows come in the order of ids.
    logAfter: query('SELECT id, key, previous_id FROM log WHERE id > ? AND +key >= ? AND +key < ? ORDER BY id LIMIT ?'),
    sweepEnd: query('SELECT max(id) FROM (SELECT id FROM log WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)'),
    sweepPrevious: database.prepare(
      'DELETE FROM log WHERE id IN (SELECT previous_id FROM log WHERE id > ? AND id <= ? AND previous_id IS NOT NULL)',
    ),
    sweepDeletions: database.prepare('DELETE FROM log WHERE id > ? AND id <= ? AND value IS NULL'),
    freePages: query('PRAGMA freelist_count'),
  };
}

/** Gathers the values of one reply. */
class Values {
  /** @type {Uint8Array[]} */
  #parts = [];
  length = 0;

  /** Gives the length, or -1 for none. @param {Uint8Array | null} value */
  add(value) {
    if (value === null) return -1;
    this.#parts.push(value);
    this.length += value.length;
    return value.length;
  }

  /** @param {Version | undefined} version @returns {PackedVersion | undefined} */
  pack(version) {
    return version === undefined ? undefined : [revisionOf(version.id), version.createRevision, this.add(version.value)];
  }

  join() {
    const data = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      data.set(part, at);
      at += part.length;
    }
    return data;
  }
}

/** @param {number} id */
function revisionOf(id) {
  return Math.floor(id / idsPerRevision);
}

/** @param {number} revision */
function lastId(revision) {
  return revision * idsPerRevision + idsPerRevision - 1;
}
