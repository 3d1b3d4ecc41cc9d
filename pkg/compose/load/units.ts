/** Durations and sizes, read and printed as Compose does. */
import { ComposeError } from '../compose-error.ts';

const unitNanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
  w: 604_800e9,
};

/** Nanoseconds of `1h30m`, `1.5s`, `90s`, `1d`. Throws ComposeError. */
export function parseDuration(text: string): number {
  const match = /^([-+]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+$/.exec(text);
  if (text === '0') return 0;
  if (match === null) throw new ComposeError(`invalid duration ${JSON.stringify(text)}`, { next: 'write it as 90s, 1m30s or 2h' });
  let total = 0;
  for (const [, amount = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (unitNanoseconds[unit] ?? 0);
  }
  return Math.round(match[1] === '-' ? -total : total);
}

/** `1m30s`, `500ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  const sign = nanoseconds < 0 ? '-' : '';
  const size = Math.abs(nanoseconds);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size / 1e3}µs`;
  if (size < 1e9) return `${sign}${size / 1e6}ms`;
  const minutes = Math.floor(size / 60e9);
  const seconds = `${(size - minutes * 60e9) / 1e9}s`;
  if (minutes === 0) return `${sign}${seconds}`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60}m${seconds}`;
}

const unitPowers = 'kmgtp';

/** Bytes of `512m`, `1.5g`, `640kb`, `1GiB`; every unit is a power of 1024. `-1` stands for no limit. Throws ComposeError. */
export function parseBytes(text: string): number {
  if (text === '-1') return -1;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i.exec(text.trim());
  if (match === null) throw new ComposeError(`invalid size ${JSON.stringify(text)}`, { next: 'write it as 512m or 1.5g' });
  const power = match[2] === undefined ? 0 : unitPowers.indexOf(match[2].toLowerCase()) + 1;
  return Math.floor(Number(match[1]) * 1024 ** power);
}
