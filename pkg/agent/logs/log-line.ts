/** One line of a CRI log file: `2026-01-01T00:00:00.000000000Z stdout F text`. Tag `P`: the text goes on in the next line of the same stream. */
export interface LogLine {
  /** As written, RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly text: Buffer;
}

const space = 0x20;

/** `raw` is without its line feed; undefined for what is not of this form. */
export function parseLogLine(raw: Buffer): LogLine | undefined {
  const first = raw.indexOf(space);
  const second = first < 0 ? -1 : raw.indexOf(space, first + 1);
  if (second < 0) return undefined;
  const third = raw.indexOf(space, second + 1);
  const stream = raw.toString('latin1', first + 1, second);
  const tags = raw.toString('latin1', second + 1, third < 0 ? raw.length : third).split(':');
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  return {
    time: raw.toString('latin1', 0, first),
    stream,
    partial: tags[0] === 'P',
    text: third < 0 ? Buffer.alloc(0) : raw.subarray(third + 1),
  };
}
