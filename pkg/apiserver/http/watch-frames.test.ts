import { expect, test } from '@jest/globals';
import { kindRegistry } from '#api/kinds/index';
import { openEnvelope } from '#api/protobuf/envelope';
import { StatusError } from '#base/errors';
import { ManualClock } from '#base/manual-clock';
import { MadeObject, type ServedEvent } from '../verbs/answer.ts';
import type { ReplyForm } from './media-type.ts';
import { PublishedResources } from './published-resources.ts';
import { WatchFrames } from './watch-frames.ts';

const pods = new PublishedResources(kindRegistry.served, []).find('', 'v1', 'pods')!;

function framesAs(form: Partial<ReplyForm>): WatchFrames {
  const whole: ReplyForm = { encoding: 'json', shape: 'object', version: 'v1', pretty: false, ...form };
  return new WatchFrames({ form: whole, resource: pods, include: 'Metadata' }, new ManualClock());
}

const event = (name: string, size = 0): ServedEvent => ({
  type: 'ADDED',
  object: new MadeObject({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', resourceVersion: '7', annotations: { text: 'x'.repeat(size) } },
    spec: { containers: [] },
  } as object as MadeObject['object']),
});

const textOf = (pieces: Iterable<Uint8Array>): string => Buffer.concat([...pieces]).toString();

test('the same events are joined once, in each form', () => {
  for (const form of [{}, { encoding: 'protobuf' }, { shape: 'PartialObjectMetadata' }] as const) {
    const frames = framesAs(form);
    const events = [event('a'), event('b')];
    const [first] = [...frames.pieces(events, true)];
    const [second] = [...frames.pieces(events, false)];
    expect(second).toBe(first);
    expect([...frames.pieces([events[1]!], false)][0]).toEqual(
      first!.subarray(first!.length - frames.pieces([events[1]!], false).next().value!.length),
    );
  }
});

test('a line for each event, whatever pieces they go in', () => {
  const events = Array.from({ length: 450 }, (_, index) => event(`pod-${index}`, index === 300 ? 400_000 : 10));
  const pieces = [...framesAs({}).pieces(events, true)];
  expect(pieces.length).toBeGreaterThan(2);
  const lines = textOf(pieces).trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { object: { metadata: { name: string } } }).object.metadata.name)).toEqual(
    events.map(({ object }) => object.object.metadata.name),
  );
});

test('a table names its columns in the first event of each watch, and only there', () => {
  const frames = framesAs({ shape: 'Table' });
  const events = [event('a'), event('b')];
  const columnsOf = (text: string): number[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { object: { columnDefinitions: unknown[] } }).object.columnDefinitions.length);
  expect(columnsOf(textOf(frames.pieces(events, false)))).toEqual([0, 0]);
  const [first, second] = columnsOf(textOf(frames.pieces(events, true)));
  expect(first).toBeGreaterThan(3);
  expect(second).toBe(0);
});

test('a failure is an event of its own', () => {
  const error = new StatusError('Expired', 'too old');
  expect(JSON.parse(Buffer.from(framesAs({}).error(error)).toString())).toMatchObject({ type: 'ERROR', object: { code: 410 } });
  const frame = framesAs({ encoding: 'protobuf' }).error(error);
  const body = frame.subarray(frame.indexOf(0x6b));
  expect(openEnvelope(body)).toMatchObject({ apiVersion: 'v1', kind: 'Status' });
});
