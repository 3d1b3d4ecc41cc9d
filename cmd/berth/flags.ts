import type { LogLevel } from '#base/logging';
import { UsageError } from '#cli/verb';

export const levels: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** A TCP port, 0 to 65535. Throws `UsageError` that names the flag. */
export function portOf(flag: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new UsageError(`${flag} is a port from 0 to 65535, not "${text}"`);
  return port;
}

/** One of a few words. Throws `UsageError` that lists them. */
export function chosenOf<const Word extends string>(flag: string, text: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw new UsageError(`${flag} is one of ${words.join(', ')}, not "${text}"`);
  return word;
}

/** `key=value` words → a map. Throws `UsageError` that names the flag. */
export function pairsOf(flag: string, words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const index = word.indexOf('=');
      if (index <= 0) throw new UsageError(`${flag} is KEY=VALUE, not "${word}"`);
      return [word.slice(0, index), word.slice(index + 1)];
    }),
  );
}
