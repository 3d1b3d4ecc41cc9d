import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { prefixLines } from './print-logs.ts';

const prefixed = (chunks: readonly Buffer[]): Promise<string> => text(Readable.from(chunks).pipe(prefixLines('web | ')));

describe('lines of several sources', () => {
  test('are whole and each behind its label, also the last and the empty ones', async () => {
    expect(await prefixed([Buffer.from('one\ntw'), Buffer.from('o\n\nthree')])).toBe('web | one\nweb | two\nweb | \nweb | three\n');
    expect(await prefixed([])).toBe('');
  });

  test('are the same however the text is cut, also within a character', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom('a', '\n', 'é', '🚢') }), fc.array(fc.nat(40)), async (content, cuts) => {
        const bytes = Buffer.from(content);
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(await prefixed(chunks)).toBe(await prefixed([bytes]));
        const lines = content.endsWith('\n') || content === '' ? content : `${content}\n`;
        expect(await prefixed(chunks)).toBe(lines.replaceAll(/[^\n]*\n/g, (line) => `web | ${line}`));
      }),
    );
  });
});
