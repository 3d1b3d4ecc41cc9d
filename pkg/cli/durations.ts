/** Lengths of time as flags take them. */
import { UsageError } from './verb.ts';

const units = { h: 3600, m: 60, s: 1, ms: 0.001 };

/** `90`, `90s`, `2m`, `1h30m`, `500ms` → seconds. Throws `UsageError` that names the flag. */
export function parseSeconds(flag: string, text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw new UsageError(`${flag} is a length of time such as 30s, 2m or 1h, not "${text}"`);
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit as keyof typeof units], 0);
}

/** A whole number that is not negative. Throws `UsageError` that names the flag. */
export function parseCount(flag: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} is a whole number from 0, not "${text}"`);
  return Number(text);
}
