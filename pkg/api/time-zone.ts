/** Time zones of the IANA database, as JavaScript's `Intl` knows them: which wall clock time an instant has. */

export class TimeZone {
  readonly name: string;
  /** The zone that this one is another name of, or the name itself, as the database writes it. */
  readonly canonical: string;
  readonly #format: Intl.DateTimeFormat;

  /** Throws RangeError for a zone that does not exist. Absent: the zone of this process. */
  constructor(name?: string) {
    // Offsets (`+01:00`) are no names of zones, though newer runtimes take them.
    if (name !== undefined && /^[+-]/.test(name)) throw new RangeError(`unknown time zone ${name}`);
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...(name === undefined ? {} : { timeZone: name }),
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    this.canonical = this.#format.resolvedOptions().timeZone;
    this.name = name ?? this.canonical;
  }

  /** By how many milliseconds wall clocks are ahead of UTC at this instant (milliseconds since 1970). */
  offsetAt(instant: number): number {
    const parts = new Map(this.#format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const wall = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
    return wall - Math.floor(instant / 1000) * 1000;
  }
}

/** Whether a name is that of a time zone: upper and lower case matter, as the database's names are those of files. */
export function isTimeZone(name: string): boolean {
  try {
    const { canonical } = new TimeZone(name);
    return canonical === name || canonical.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}
