import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ComposeError } from '../compose-error.ts';
import { parseDotenv, parseRawEnv } from './dotenv.ts';
import { parsePortSpec } from './port-spec.ts';
import { splitShellWords } from './shell-words.ts';
import { interpolate } from './template.ts';
import { formatDuration, parseBytes, parseDuration } from './units.ts';
import { parseVolumeSpec } from './volume-spec.ts';

describe('durations and sizes', () => {
  test.each([
    ['90s', '1m30s'],
    ['1h', '1h0m0s'],
    ['1.5s', '1.5s'],
    ['500ms', '500ms'],
    ['1d', '24h0m0s'],
    ['0', '0s'],
    ['1m30s500ms', '1m30.5s'],
  ])('%s is %s', (text, canonical) => {
    expect(formatDuration(parseDuration(text))).toBe(canonical);
  });

  test.each([
    ['512m', 536870912],
    ['1.5g', 1610612736],
    ['640kb', 655360],
    ['1GiB', 1073741824],
    ['12', 12],
    ['-1', -1],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test('what is neither is refused', () => {
    for (const text of ['', '10', 's', '1y', '1s junk']) expect(() => parseDuration(text)).toThrow(ComposeError);
    for (const text of ['', 'm', '1x', '-2', '1 0']) expect(() => parseBytes(text)).toThrow(ComposeError);
  });

  test('a canonical duration means what it was made from', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds * 1e6))).toBe(milliseconds * 1e6);
      }),
    );
  });
});

describe('ports', () => {
  test.each([
    ['80', [{ target: 80 }]],
    ['8080:80/udp', [{ target: 80, published: '8080', protocol: 'udp' }]],
    ['127.0.0.1::80', [{ target: 80, host_ip: '127.0.0.1' }]],
    ['[::1]:80:80', [{ target: 80, host_ip: '::1', published: '80' }]],
    [
      '8000-8001:80-81',
      [
        { target: 80, published: '8000' },
        { target: 81, published: '8001' },
      ],
    ],
    ['8000-8010:80', [{ target: 80, published: '8000-8010' }]],
  ])('%s', (spec, ports) => {
    expect(parsePortSpec(spec)).toEqual(ports.map((port) => ({ mode: 'ingress', protocol: 'tcp', ...port })));
  });

  test.each(['', ':', 'a:80', '80:', '70000', '80/icmp', '1-3:1-2', '300.1.1.1:80:80', '3-1'])('%j is refused', (spec) => {
    expect(() => parsePortSpec(spec)).toThrow(ComposeError);
  });
});

describe('command lines', () => {
  test.each([
    ['echo hello', ['echo', 'hello']],
    ['sh -c "echo \'a b\' \\"$X\\""', ['sh', '-c', 'echo \'a b\' "$X"']],
    ["a '' b", ['a', '', 'b']],
    ['a\\ b', ['a b']],
    ['', []],
  ])('%s', (line, words) => {
    expect(splitShellWords(line)).toEqual(words);
  });

  test('an open quote is refused', () => {
    expect(() => splitShellWords('echo "x')).toThrow('open "');
  });
});

describe('env files', () => {
  test('raw files are taken as they are', () => {
    expect(parseRawEnv('# c\nA="x" # y\nB=$A\n\nC', (name) => (name === 'C' ? 'c' : undefined))).toEqual({ A: '"x" # y', B: '$A', C: 'c' });
  });

  test('errors have their line', () => {
    expect(() => parseDotenv('A=1\nB C=2', () => undefined, '.env')).toThrow('.env:2:1: unexpected character in variable name "B C"');
    expect(() => parseDotenv('A=1\n\nB="x" y', () => undefined, '.env')).toThrow('.env:3:6: unexpected "y" after the closing quote');
  });
});

describe('whatever the input', () => {
  const text = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom('$', '{', '}', ':', '-', '?', '+', 'A', '"', "'", '\\', '\n', '=', '#', ' ', '/', '.', '0', '1'), {
        maxLength: 30,
      })
      .map((parts) => parts.join('')),
  );

  test.each([
    ['template', (input: string) => interpolate(input, () => undefined)],
    ['dotenv', (input: string) => parseDotenv(input, () => undefined)],
    ['raw env', (input: string) => parseRawEnv(input, () => undefined)],
    ['volume', parseVolumeSpec],
    ['port', parsePortSpec],
    ['command', splitShellWords],
    ['duration', parseDuration],
    ['size', parseBytes],
  ])('the %s parser ends, with a result or a ComposeError', (_name, parse: (input: string) => unknown) => {
    const wrong = (input: string): unknown => {
      try {
        parse(input);
        return undefined;
      } catch (error) {
        return error instanceof ComposeError ? undefined : error;
      }
    };
    fc.assert(
      fc.property(text, (input) => {
        expect(wrong(input)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('a text with every dollar doubled comes back as it was', () => {
    fc.assert(
      fc.property(text, (input) => {
        expect(interpolate(input.replaceAll('$', '$$$$'), () => 'x')).toBe(input);
      }),
    );
  });
});
