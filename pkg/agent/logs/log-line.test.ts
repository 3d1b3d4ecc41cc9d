import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseLogLine } from './log-line.ts';

describe('a line of a log', () => {
  test('is its time, its stream, its tag and its text', () => {
    expect(parseLogLine(Buffer.from('2026-01-01T00:00:00.1Z stderr P:x a  b'))).toEqual({
      time: '2026-01-01T00:00:00.1Z',
      stream: 'stderr',
      partial: true,
      text: Buffer.from('a  b'),
    });
    expect(parseLogLine(Buffer.from('t stdout F'))).toMatchObject({ partial: false, text: Buffer.alloc(0) });
  });

  test('is none, whatever else the bytes are', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .array(fc.constantFrom('stdout', 'stderr', ' ', 'F', 'P', ':', '\n', '\0', 'x'), { maxLength: 20 })
        .map((parts) => Buffer.from(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, (raw) => {
        const line = parseLogLine(Buffer.from(raw));
        expect(line === undefined || line.stream === 'stdout' || line.stream === 'stderr').toBe(true);
        expect(line?.text.length ?? 0).toBeLessThanOrEqual(raw.length);
      }),
      { seed: 20_260_105, numRuns: 500 },
    );
  });
});
