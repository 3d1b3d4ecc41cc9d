import winston from 'winston';

/**
 * Structured logs: one JSON line (or, on a terminal, one readable line) a record on stderr, quiet by default. A facade over winston that asks for the
 * level before it builds a record, because winston costs microseconds even for a level that is off.
 */

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** Whether records of this level are written: guard what is dear to compute. */
  enabled(level: LogLevel): boolean;
  /** A logger that adds `fields` to each of its records. */
  with(fields: LogFields): Logger;
}

const order: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

export interface LoggerOptions {
  /** The most talkative level that is written; `warn` unless given. */
  readonly level?: LogLevel;
  readonly format?: 'json' | 'text';
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const level = options.level ?? 'warn';
  const text = winston.format.printf(({ timestamp, level: name, message, ...fields }) => {
    const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
    return `${String(timestamp)} ${name} ${String(message)}${rest}`;
  });
  const sink = winston.createLogger({
    level,
    format: winston.format.combine(winston.format.timestamp(), options.format === 'text' ? text : winston.format.json()),
    transports: [new winston.transports.Stream({ stream: process.stderr })],
  });
  return wrap((name, message, fields) => void sink.log(name, message, fields), order[level], {});
}

/** A logger that writes nothing. */
export const silentLogger: Logger = wrap(() => undefined, -1, {});

function wrap(write: (level: LogLevel, message: string, fields: LogFields) => void, threshold: number, base: LogFields): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (order[level] <= threshold) write(level, message, { ...base, ...fields });
  };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    enabled: (level) => order[level] <= threshold,
    with: (fields) => wrap(write, threshold, { ...base, ...fields }),
  };
}
