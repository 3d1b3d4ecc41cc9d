/**
 * A process that writes to an embedded store until it is killed, and says on stdout what was acknowledged (`ack KEY REVISION`) and
 * what a watch has shown (`seen KEY REVISION`), each line written at once. Arguments: the store's path, a prefix, how many writers,
 * how many writes each (0: without end).
 */
import { writeSync } from 'node:fs';
import { codeOf } from '#base/errors';
import { openSqlite } from '#storage/sqlite/sqlite-backend';

const [path = '', prefix = '', writers = '1', writes = '0'] = process.argv.slice(2);
const backend = await openSqlite({ path });
const stop = new AbortController();

/** One line, written before this returns; a reader that is behind is waited for. */
function say(line: string): void {
  let left = Buffer.from(`${line}\n`);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

async function show(): Promise<void> {
  for await (const { events } of backend.watch(prefix, await backend.revision(), stop.signal)) {
    for (const event of events) say(`seen ${event.key} ${event.revision}`);
  }
}

async function write(writer: number): Promise<void> {
  for (let index = 0; index < (Number(writes) || Number.POSITIVE_INFINITY); index++) {
    // Two keys in one commit: after a crash both are there or neither.
    const key = `${prefix}${writer}/${index}`;
    const value = Buffer.from(`value of ${key}`);
    const result = await backend.commit({
      compare: [{ key, revision: 0 }],
      ops: ['a', 'b'].map((part) => ({ type: 'put', key: `${key}/${part}`, value })),
    });
    if (!result.committed) throw new Error(`${key} exists already`);
    say(`ack ${key} ${result.revision}`);
  }
}

const shown = show();
await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)));
stop.abort();
await shown;
await backend.close();
