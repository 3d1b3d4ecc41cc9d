import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { type ProgressRow, ProgressTable } from './progress.ts';

function screen(environment: Record<string, string>, terminal?: { columns: number }): { table: ProgressTable; text(): string } {
  let text = '';
  const stderr = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  if (terminal !== undefined) Object.assign(stderr, { isTTY: true, ...terminal });
  return { table: new ProgressTable({ stderr, environment }), text: () => text };
}

const row = (name: string, state: string, tone: ProgressRow['tone'], message = ''): ProgressRow => ({
  name,
  ready: '1/1',
  state,
  message,
  tone,
});
const esc = String.fromCharCode(27);

describe('progress', () => {
  test('elsewhere than on a terminal is a line for each change', () => {
    const { table, text } = screen({});
    table.show([row('web', 'Starting', 'waiting'), row('db', 'Starting', 'waiting', 'pulling')]);
    table.show([row('web', 'Running', 'good'), row('db', 'Starting', 'waiting', 'pulling')]);
    expect(text()).toBe('web: 1/1 Starting\ndb: 1/1 Starting (pulling)\nweb: 1/1 Running\n');
  });

  test('on a terminal is a table that is drawn over, no wider than the screen, in colours', () => {
    const { table, text } = screen({}, { columns: 40 });
    table.show([row('web', 'Starting', 'waiting', 'a message that is longer than the screen is wide')]);
    table.show([row('web', 'Running', 'good')]);
    const [first = '', second = ''] = text().split(`${esc}[2A${esc}[0J`);
    expect(first).toContain(`${esc}[33mweb`);
    expect(second).toContain(`${esc}[32mweb`);
    const bare = text()
      .replaceAll(/\[\d+[mAJ]/g, '')
      .replaceAll(esc, '');
    expect(Math.max(...bare.split('\n').map((line) => line.length))).toBeLessThan(40);
  });

  test('has no colours with NO_COLOR, and does not move on a dumb terminal', () => {
    const plain = screen({ NO_COLOR: '1' }, { columns: 80 });
    plain.table.show([row('web', 'Failed', 'bad')]);
    plain.table.show([row('web', 'Failed', 'bad')]);
    expect(plain.text()).not.toMatch(/\[\d+m/);
    expect(plain.text()).toContain(`${esc}[2A`);
    const dumb = screen({ TERM: 'dumb' }, { columns: 80 });
    dumb.table.show([row('web', 'Running', 'good')]);
    expect(dumb.text()).toBe('web: 1/1 Running\n');
  });

  test('shows no control characters of others', () => {
    const { table, text } = screen({});
    table.show([row('web', 'Failed', 'bad', `red ${esc}[31m`)]);
    expect(text()).toBe('web: 1/1 Failed (red \\x1b[31m)\n');
  });
});
