/** What one load shares between its stages: where files come from, the environment, positions, warnings. */
import { codeOf, messageOf } from '#base/errors';
import { ComposeError, type SourcePosition } from '../compose-error.ts';
import type { ParsedDocument } from './parse.ts';
import type { Lookup } from './template.ts';

export type ReadFile = (path: string) => Promise<string | Uint8Array>;

export interface LoadOptions {
  /** Makes paths absolute; true unless given. */
  readonly resolvePaths?: boolean;
  readonly skipInterpolation?: boolean;
  readonly skipInclude?: boolean;
  readonly skipExtends?: boolean;
  readonly skipValidation?: boolean;
  readonly skipNormalisation?: boolean;
  readonly skipConsistencyCheck?: boolean;
  /** Leaves `env_file` and `label_file` out of the result once they are read. */
  readonly discardEnvFiles?: boolean;
  /** Does not read what configs and secrets hold. */
  readonly skipContents?: boolean;
  /** Only these and what they depend on; the others are disabled. Empty: all. */
  readonly selectedServices?: readonly string[];
}

export class LoadContext {
  readonly readFile: ReadFile;
  readonly options: LoadOptions;
  readonly warnings: string[] = [];
  /** Positions by displayed path, the latest file last. */
  readonly #positions: ReadonlyMap<string, SourcePosition>[] = [];

  constructor(readFile: ReadFile, options: LoadOptions) {
    this.readFile = readFile;
    this.options = options;
  }

  warn(message: string): void {
    if (!this.warnings.includes(message)) this.warnings.push(message);
  }

  remember(document: ParsedDocument): void {
    this.#positions.push(document.positions);
  }

  /** Where the path, or the nearest thing around it, stands in the file that said it last. */
  locate(path: string): SourcePosition | undefined {
    for (let at = path; ; at = at.replace(/(\.[^.[]*|\[\d+\])$/, '')) {
      // A list that several files add to has other indexes than any of them: its own position is the best that is known.
      const owners = this.#positions.filter((positions) => positions.has(at));
      const listOf = at.replace(/\[\d+\].*$/, '');
      const lists = this.#positions.filter((positions) => positions.has(listOf));
      const found = owners.at(-1)?.get(at);
      if (found !== undefined && (listOf === at || lists.length === 1)) return found;
      if (!/[.[]/.test(at)) return found;
    }
  }

  /** Gives an error without a position the one of its path. */
  explain(error: unknown): unknown {
    if (!(error instanceof ComposeError) || error.position !== undefined || error.path === undefined) return error;
    const position = this.locate(error.path);
    return position === undefined ? error : error.with({ position });
  }

  /** Throws ComposeError where the file is missing or cannot be read. */
  async readText(path: string, role: string): Promise<string> {
    return decodeText(await this.readBytes(path, role), path);
  }

  async readBytes(path: string, role: string): Promise<string | Uint8Array> {
    try {
      return await this.readFile(path);
    } catch (error) {
      throw readError(error, path, role);
    }
  }
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

export function readError(error: unknown, path: string, role: string): ComposeError {
  if (isMissing(error)) return new ComposeError(`${role} ${path} not found`, { next: 'paths are relative to the file that names them' });
  if (codeOf(error) === 'EISDIR') return new ComposeError(`${role} ${path} is a directory`);
  return new ComposeError(`${role} ${path} cannot be read: ${messageOf(error)}`);
}

export function decodeText(content: string | Uint8Array, path: string): string {
  if (typeof content === 'string') return content;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new ComposeError('the file is not text in UTF-8', { file: path });
  }
}

/** Environment variables as a lookup. */
export function lookupIn(environment: Readonly<Record<string, string>>): Lookup {
  return (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined);
}
