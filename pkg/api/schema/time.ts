/**
 * `meta.v1.Time` and `MicroTime`: RFC 3339 in, UTC out, with whole seconds or six decimals.
 */

const pattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const canonicalTime = /^[0-9]{4}-(0[1-9]|1[0-2])-([01][0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/;

export interface Instant {
  /** Since 1970; may be negative. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanos: number;
}

/** Undefined where the text is no RFC 3339 time or names a date that does not exist. */
export function parseInstant(text: string): Instant | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second), 0);
  const honest =
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60;
  if (!honest) return undefined;
  let offset = 0;
  if (zone !== 'Z') {
    const hours = Number(zone.slice(1, 3));
    const minutes = Number(zone.slice(4, 6));
    if (hours > 23 || minutes > 59) return undefined;
    offset = (zone.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60);
  }
  const nanos = fraction === '' ? 0 : Number(fraction.slice(1, 10).padEnd(9, '0'));
  return { seconds: date.getTime() / 1000 - offset, nanos };
}

/** `2026-01-02T03:04:05Z`; undefined outside the years 0 to 9999. */
export function formatInstant(instant: Instant): string | undefined {
  const date = new Date(instant.seconds * 1000);
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 0 || year > 9999) return undefined;
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** `2026-01-02T03:04:05.000006Z`. */
export function formatInstantMicro(instant: Instant): string | undefined {
  const whole = formatInstant(instant);
  if (whole === undefined) return undefined;
  const micros = String(Math.floor(instant.nanos / 1000)).padStart(6, '0');
  return `${whole.slice(0, -1)}.${micros}Z`;
}

/** The canonical spelling of a `Time`, or undefined where `text` is none. */
export function canonicalTimeOf(text: string): string | undefined {
  if (canonicalTime.test(text)) return text;
  const instant = parseInstant(text);
  return instant === undefined ? undefined : formatInstant(instant);
}

/** The canonical spelling of a `MicroTime`, or undefined where `text` is none. */
export function canonicalMicroTimeOf(text: string): string | undefined {
  const instant = parseInstant(text);
  return instant === undefined ? undefined : formatInstantMicro(instant);
}

/** Milliseconds since 1970 of a `Time` or `MicroTime`; undefined where it is absent or no time. */
export function millisecondsOf(text: string | null | undefined): number | undefined {
  if (text === undefined || text === null) return undefined;
  const instant = parseInstant(text);
  return instant === undefined ? undefined : instant.seconds * 1000 + instant.nanos / 1e6;
}
