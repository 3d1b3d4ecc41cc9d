import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CronError, parseCronSchedule } from './cron-schedule.ts';
import { isTimeZone, TimeZone } from './time-zone.ts';

const utc = new TimeZone('UTC');
const minute = 60_000;

function nextOf(schedule: string, after: string, zone = utc): string | undefined {
  const next = parseCronSchedule(schedule).next(Date.parse(after), zone);
  return next === undefined ? undefined : new Date(next).toISOString().replace('.000', '');
}

describe('a schedule', () => {
  test.each([
    ['* * * * *', '2026-01-01T00:00:30Z', '2026-01-01T00:01:00Z'],
    ['*/15 * * * *', '2026-01-01T00:15:00Z', '2026-01-01T00:30:00Z'],
    ['5/20 * * * *', '2026-01-01T00:45:00Z', '2026-01-01T01:05:00Z'],
    ['0 9-17/4 * * mon-fri', '2026-01-02T17:30:00Z', '2026-01-05T09:00:00Z'],
    ['30 4 1,15 * 5', '2026-01-01T05:00:00Z', '2026-01-02T04:30:00Z'],
    ['0 0 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0 0 */2 * 1', '2026-01-01T12:00:00Z', '2026-01-03T00:00:00Z'],
    ['@yearly', '2026-06-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['@monthly', '2026-06-01T00:00:00Z', '2026-07-01T00:00:00Z'],
    ['@weekly', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
    ['@daily', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    ['@hourly', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'],
    ['@every 1h30m', '2026-01-01T00:00:00Z', '2026-01-01T01:30:00Z'],
    ['@every 10ms', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'],
  ])('%s after %s is %s', (schedule, after, expected) => {
    expect(nextOf(schedule, after)).toBe(expected);
  });

  test('that never comes gives nothing', () => {
    expect(nextOf('0 0 31 2 *', '2026-01-01T00:00:00Z')).toBeUndefined();
  });

  test.each([
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['@sometimes', 'unrecognized descriptor: @sometimes'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ])('%j is refused: %s', (schedule, message) => {
    expect(() => parseCronSchedule(schedule)).toThrow(message);
  });
});

describe('time zones', () => {
  const berlin = new TimeZone('Europe/Berlin');
  const newYork = new TimeZone('America/New_York');

  test('are wall clocks', () => {
    expect(nextOf('0 9 * * *', '2026-01-01T00:00:00Z', berlin)).toBe('2026-01-01T08:00:00Z');
    expect(nextOf('0 9 * * *', '2026-07-01T00:00:00Z', berlin)).toBe('2026-07-01T07:00:00Z');
    expect(nextOf('0 20 * * *', '2026-01-01T00:00:00Z', newYork)).toBe('2026-01-01T01:00:00Z');
  });

  test('pass over what the change to summer time skips', () => {
    expect(nextOf('30 2 * * *', '2026-03-28T12:00:00Z', berlin)).toBe('2026-03-30T00:30:00Z');
    expect(nextOf('0 * * * *', '2026-03-29T00:30:00Z', berlin)).toBe('2026-03-29T01:00:00Z');
  });

  test('come twice where clocks are set back', () => {
    expect(nextOf('30 2 * * *', '2026-10-25T00:00:00Z', berlin)).toBe('2026-10-25T00:30:00Z');
    expect(nextOf('30 2 * * *', '2026-10-25T00:30:00Z', berlin)).toBe('2026-10-25T01:30:00Z');
    expect(nextOf('30 2 * * *', '2026-10-25T01:30:00Z', berlin)).toBe('2026-10-26T01:30:00Z');
  });

  test('are known by name alone', () => {
    expect(['UTC', 'Europe/Berlin', 'Asia/Kolkata'].every(isTimeZone)).toBe(true);
    expect(['Nowhere/Atlantis', '+01:00', '+01', 'x y'].some(isTimeZone)).toBe(false);
  });
});

describe('for all schedules', () => {
  const field = (least: number, most: number): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min: least, max: most }).map(String),
      fc
        .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.integer({ min: 1, max: most }).map((step) => `*/${step}`),
    );
  const schedules = fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map((fields) => fields.join(' '));
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'America/St_Johns');
  const instants = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2029, 0, 1) });

  /** By the definition: does the wall clock of this instant match the text? */
  function isDue(schedule: string, instant: number, zone: TimeZone): boolean {
    const wall = new Date(instant + zone.offsetAt(instant));
    const read = [wall.getUTCMinutes(), wall.getUTCHours(), wall.getUTCDate(), wall.getUTCMonth() + 1, wall.getUTCDay()];
    const matches = schedule.split(' ').map((text, index) => {
      const value = read[index] ?? 0;
      const [range = '', step = '1'] = text.split('/');
      if (range === '*') return (value - (index === 2 || index === 3 ? 1 : 0)) % Number(step) === 0;
      const [low = 0, high = low] = range.split('-').map(Number);
      return value >= low && value <= high;
    });
    const [atMinute, atHour, onDay, inMonth, onWeekday] = matches;
    const fields = schedule.split(' ');
    const days = [fields[2], fields[4]].some((text) => text === '*' || text === '*/1') ? onDay && onWeekday : onDay || onWeekday;
    return atMinute === true && atHour === true && inMonth === true && days === true;
  }

  test('the next time is due, later, and none is passed over', () => {
    fc.assert(
      fc.property(schedules, zones, instants, (text, name, after) => {
        const zone = new TimeZone(name);
        const next = parseCronSchedule(text).next(after, zone);
        // Every day field up to 28 is in every month.
        expect(next).toBeDefined();
        expect(next).toBeGreaterThan(after);
        expect(isDue(text, next ?? 0, zone)).toBe(true);
        // All minutes before it within a day and a half, where a mistake about a change of clocks would show.
        const from = Math.max(Math.floor(after / minute) * minute + minute, (next ?? 0) - 36 * 60 * minute);
        for (let instant = from; instant < (next ?? 0); instant += 7 * minute) expect(isDue(text, instant, zone)).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  test('the last time before another is the one after which nothing more is due', () => {
    const spans = fc.integer({ min: 0, max: 20 * 24 * 60 });
    fc.assert(
      fc.property(schedules, zones, instants, spans, (text, name, from, span) => {
        const zone = new TimeZone(name);
        const schedule = parseCronSchedule(text);
        const until = from + span * minute;
        const last = schedule.last(from, until, zone);
        expect(schedule.next(last ?? from, zone)).toBeGreaterThan(until);
        if (last !== undefined) {
          expect(last).toBeGreaterThan(from);
          expect(last).toBeLessThanOrEqual(until);
          expect(schedule.next(last - 1, zone)).toBe(last);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('nothing but a CronError comes of any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.constantFrom('*', '/', '-', ',', '1', ' ', '@', 'mon', '?', '99')).map((all) => all.join('')),
        ),
        (text) => {
          try {
            parseCronSchedule(text).next(0, utc);
          } catch (error) {
            expect(error).toBeInstanceOf(CronError);
          }
        },
      ),
    );
  });
});
