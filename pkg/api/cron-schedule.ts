/**
 * The schedules of CronJobs: five fields (minute, hour, day of month, month, day of week) or a macro (`@daily`, `@every 90m`), with the errors of the
 * parser that Kubernetes uses. A schedule says at which minutes something is due; whether it was done is for others.
 */
import type { TimeZone } from './time-zone.ts';

export interface CronSchedule {
  /**
   * The first due time after `instant` (milliseconds since 1970), by the wall clocks of the zone: a time that is skipped there (summer time begins) is not
   * due, one that comes twice is due twice. Undefined: there is none within five years (`30 2 31 2 *`).
   */
  next(instant: number, zone: TimeZone): number | undefined;
  /** The last due time after `instant` and not after `until`. */
  last(instant: number, until: number, zone: TimeZone): number | undefined;
}

/** Thrown by `parseCronSchedule`. */
export class CronError extends Error {
  override readonly name = 'CronError';
}

interface Field {
  readonly values: ReadonlySet<number>;
  /** `*` or `?` without a step: for days this means that the other day field decides alone. */
  readonly isAny: boolean;
}

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly names?: Readonly<Record<string, number>>;
}

const months = named(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], 1);
const weekdays = named(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'], 0);
const bounds = {
  minute: { least: 0, most: 59 },
  hour: { least: 0, most: 23 },
  day: { least: 1, most: 31 },
  month: { least: 1, most: 12, names: months },
  weekday: { least: 0, most: 6, names: weekdays },
} satisfies Record<string, Bounds>;

const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const minute = 60_000;
const day = 24 * 60 * minute;
const horizon = 5 * 366;
const longest = 1024;

/** Throws `CronError`. A zone in the text (`TZ=…`) is not understood: zones are a field of their own. */
export function parseCronSchedule(text: string): CronSchedule {
  if (text === '') throw new CronError('empty spec string');
  if (text.length > longest) throw new CronError(`a schedule has at most ${longest} characters`);
  if (text.startsWith('@every ')) return every(parseDuration(text.slice('@every '.length), text));
  const expanded = text.startsWith('@') ? macros[text] : text;
  if (expanded === undefined) throw new CronError(`unrecognized descriptor: ${text}`);
  const fields = expanded.split(/\s+/).filter((field) => field !== '');
  const [minutes, hours, days, monthField, weekdayField] = fields;
  if (
    fields.length !== 5 ||
    minutes === undefined ||
    hours === undefined ||
    days === undefined ||
    monthField === undefined ||
    weekdayField === undefined
  ) {
    throw new CronError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  }
  return new FieldSchedule(
    parseField(minutes, bounds.minute),
    parseField(hours, bounds.hour),
    parseField(days, bounds.day),
    parseField(monthField, bounds.month),
    parseField(weekdayField, bounds.weekday),
  );
}

function every(milliseconds: number): CronSchedule {
  const next = (instant: number): number => Math.floor(instant / 1000) * 1000 + milliseconds;
  return {
    next,
    last: (instant, until) => {
      const first = next(instant);
      return first > until ? undefined : first + Math.floor((until - first) / milliseconds) * milliseconds;
    },
  };
}

class FieldSchedule implements CronSchedule {
  readonly #minutes: readonly number[];
  readonly #hours: readonly number[];
  readonly #days: Field;
  readonly #months: Field;
  readonly #weekdays: Field;

  constructor(minutes: Field, hours: Field, days: Field, monthField: Field, weekdayField: Field) {
    this.#minutes = sorted(minutes);
    this.#hours = sorted(hours);
    this.#days = days;
    this.#months = monthField;
    this.#weekdays = weekdayField;
  }

  next(instant: number, zone: TimeZone): number | undefined {
    const wall = instant + zone.offsetAt(instant);
    // A wall clock that is set back over midnight shows the day before again.
    const first = Math.floor(wall / day) * day - day;
    for (let index = 0; index <= horizon; index++) {
      const midnight = first + index * day;
      if (!this.#isDue(new Date(midnight))) continue;
      const found = this.#firstOfDay(midnight, instant, zone);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  last(instant: number, until: number, zone: TimeZone): number | undefined {
    // Looks back over ever longer spans until something is due in one: then that is near its end.
    for (let span = minute; ; span *= 2) {
      const from = Math.max(instant, until - span);
      let found: number | undefined;
      for (let next = this.next(from, zone); next !== undefined && next <= until; next = this.next(next, zone)) found = next;
      if (found !== undefined || from === instant) return found;
    }
  }

  #isDue(date: Date): boolean {
    if (!this.#months.values.has(date.getUTCMonth() + 1)) return false;
    const byDay = this.#days.values.has(date.getUTCDate());
    const byWeekday = this.#weekdays.values.has(date.getUTCDay());
    return this.#days.isAny || this.#weekdays.isAny ? byDay && byWeekday : byDay || byWeekday;
  }

  /** The first due instant after `instant` on the wall clock day that begins at `midnight`. */
  #firstOfDay(midnight: number, instant: number, zone: TimeZone): number | undefined {
    const before = zone.offsetAt(midnight - day / 2);
    const after = zone.offsetAt(midnight + day + day / 2);
    if (before === after) {
      for (const wall of this.#times(midnight)) if (wall - before > instant) return wall - before;
      return undefined;
    }
    // The clocks change around this day: a time may come never, or twice.
    let least: number | undefined;
    for (const wall of this.#times(midnight)) {
      for (const offset of [before, after]) {
        const candidate = wall - offset;
        if (candidate > instant && candidate < (least ?? Number.POSITIVE_INFINITY) && zone.offsetAt(candidate) === offset)
          least = candidate;
      }
    }
    return least;
  }

  *#times(midnight: number): Generator<number> {
    for (const hour of this.#hours) for (const each of this.#minutes) yield midnight + (hour * 60 + each) * minute;
  }
}

function sorted({ values }: Field): number[] {
  return [...values].toSorted((a, b) => a - b);
}

function parseField(text: string, limits: Bounds): Field {
  const values = new Set<number>();
  let isAny = false;
  for (const part of text.split(',')) {
    const range = parseRange(part, limits);
    isAny ||= range.isAny;
    for (let value = range.start; value <= range.end; value += range.step) values.add(value);
  }
  return { values, isAny };
}

function parseRange(text: string, limits: Bounds): { start: number; end: number; step: number; isAny: boolean } {
  const [range = '', stepText, ...moreSlashes] = text.split('/');
  const [low = '', high, ...moreHyphens] = range.split('-');
  let start: number;
  let end: number;
  let isAny = false;
  if (low === '*' || low === '?') {
    start = limits.least;
    end = limits.most;
    isAny = true;
  } else {
    start = parseValue(low, limits);
    if (moreHyphens.length > 0) throw new CronError(`too many hyphens: ${text}`);
    end = high === undefined ? start : parseValue(high, limits);
  }
  let step = 1;
  if (stepText !== undefined) {
    if (moreSlashes.length > 0) throw new CronError(`too many slashes: ${text}`);
    step = parseNumber(stepText);
    // `5/10` goes on to the end.
    if (high === undefined && !isAny) end = limits.most;
    if (step > 1) isAny = false;
  }
  if (start < limits.least) throw new CronError(`beginning of range (${start}) below minimum (${limits.least}): ${text}`);
  if (end > limits.most) throw new CronError(`end of range (${end}) above maximum (${limits.most}): ${text}`);
  if (start > end) throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  return { start, end, step, isAny };
}

function parseValue(text: string, { names }: Bounds): number {
  const name = text.toLowerCase();
  return names !== undefined && Object.hasOwn(names, name) ? (names[name] ?? 0) : parseNumber(text);
}

function parseNumber(text: string): number {
  if (/^-\d{1,9}$/.test(text) && Number(text) < 0) throw new CronError(`negative number (${Number(text)}) not allowed: ${text}`);
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    throw new CronError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Math.abs(Number(text));
}

const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations (`1h30m`), at least a second, whole seconds. */
function parseDuration(text: string, whole: string): number {
  if (!/^\+?(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) {
    throw new CronError(`failed to parse duration ${whole}: time: invalid duration ${JSON.stringify(text)}`);
  }
  let milliseconds = 0;
  for (const [, amount = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|μs|ms|s|m|h)/g)) {
    milliseconds += Number(amount) * (units[unit] ?? 0);
  }
  return Math.max(1000, Math.floor(milliseconds / 1000) * 1000);
}

function named(names: readonly string[], first: number): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [name, first + index]));
}
