/**
 * YAML text → the `yaml` package's documents, by way of a check on nesting. The package composes recursively, and V8 ends the whole process (it does
 * not throw) when it compiles a regular expression near the end of the stack: two texts of 2 kB, nested 1,000 deep, are enough. So whoever parses YAML
 * that others wrote does it through here.
 */
import { Composer, type Document, type DocumentOptions, type LineCounter, type ParseOptions, Parser, type SchemaOptions } from 'yaml';

export interface YamlDocumentsOptions extends ParseOptions, DocumentOptions, SchemaOptions {
  readonly lineCounter?: LineCounter;
  /** The most levels of nesting; 100 unless given. */
  readonly depth?: number;
}

/** Thrown before anything is composed. `offset` is where the first level too many begins. */
export class YamlNestingError extends Error {
  override readonly name = 'YamlNestingError';
  readonly offset: number;

  constructor(depth: number, offset: number) {
    super(`nested more than ${depth} levels deep`);
    this.offset = offset;
  }
}

/** The documents of the text, with their syntax errors in `document.errors`. Throws `YamlNestingError`. */
export function yamlDocuments(source: string, options: YamlDocumentsOptions = {}): Document[] {
  const { depth = 100, lineCounter, ...rest } = options;
  const tokens = [];
  for (const token of new Parser(lineCounter?.addNewLine).parse(source)) {
    checkNesting(token, depth);
    tokens.push(token);
  }
  return [...new Composer({ ...rest, ...(lineCounter === undefined ? {} : { lineCounter }) }).compose(tokens)];
}

interface Level {
  readonly token: object;
  readonly level: number;
}

function checkNesting(root: object, depth: number): void {
  const open: Level[] = [{ token: root, level: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, level } = next;
    const collection = 'items' in token && Array.isArray(token.items);
    if (collection && level > depth)
      throw new YamlNestingError(depth, 'offset' in token && typeof token.offset === 'number' ? token.offset : 0);
    const inner = collection ? level + 1 : level;
    if (collection) for (const item of token.items as object[]) open.push({ token: item, level: inner });
    for (const part of ['key', 'value'] as const) {
      const child = (token as Record<string, unknown>)[part];
      if (typeof child === 'object' && child !== null) open.push({ token: child, level: inner });
    }
  }
}
