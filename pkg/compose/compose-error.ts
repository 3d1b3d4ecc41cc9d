/** Where something stands in a Compose file. Lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ComposeErrorOptions {
  /** `services.web.ports[0]`. */
  readonly path?: string;
  readonly position?: SourcePosition;
  /** The file, where no position in it is known. */
  readonly file?: string;
  /** What to do about it: a whole sentence without its full stop. */
  readonly next?: string;
}

/**
 * What is wrong with a Compose file: where (file, line, column), what (path), why (reason) and what to do next.
 * Its message has all of them on one line, the form of compilers: `compose.yaml:3:5: services.web.image: must be a string`.
 */
export class ComposeError extends Error {
  override readonly name = 'ComposeError';
  readonly reason: string;
  readonly path: string | undefined;
  readonly position: SourcePosition | undefined;
  readonly file: string | undefined;
  readonly next: string | undefined;

  constructor(reason: string, options: ComposeErrorOptions = {}) {
    super(formatMessage(reason, options));
    this.reason = reason;
    this.path = options.path;
    this.position = options.position;
    this.file = options.position?.file ?? options.file;
    this.next = options.next;
  }

  /** The same error with what it did not say yet; what it says already stays. */
  with(options: ComposeErrorOptions): ComposeError {
    return new ComposeError(this.reason, { ...options, ...this.#said() });
  }

  #said(): ComposeErrorOptions {
    return {
      ...(this.path === undefined ? {} : { path: this.path }),
      ...(this.position === undefined ? {} : { position: this.position }),
      ...(this.file === undefined ? {} : { file: this.file }),
      ...(this.next === undefined ? {} : { next: this.next }),
    };
  }
}

function formatMessage(reason: string, options: ComposeErrorOptions): string {
  const { position, path, next } = options;
  const file = position === undefined ? options.file : `${position.file}:${position.line}:${position.column}`;
  const where = [file, path].filter((part) => part !== undefined && part !== '').map((part) => `${part}: `);
  return `${where.join('')}${reason}${next === undefined ? '' : `; ${next}`}`;
}
