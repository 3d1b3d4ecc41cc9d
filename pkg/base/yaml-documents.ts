/**
 * YAML text → the `yaml` package's documents, by way of a check on nesting. The package composes recursively, and V8 ends the whole process (it does
 * not throw) when it compiles a regular expression near the end of the stack: two texts of 2 kB, nested 1,000 deep, are enough. So whoever parses YAML
 * that others wrote does it through here.
 */
import { Composer, type Document, type DocumentOptions, type LineCounter, type ParseOptions, Parser, type SchemaOptions } from 'yaml';
import { checkNesting } from './yaml-nesting.mjs';

export { YamlNestingError } from './yaml-nesting.mjs';

export interface YamlDocumentsOptions extends ParseOptions, DocumentOptions, SchemaOptions {
  readonly lineCounter?: LineCounter;
  /** The most levels of nesting; 100 unless given. */
  readonly depth?: number;
}

const maximumFaults = 100;

/** The documents of the text, with their syntax errors in `document.errors`. Throws `YamlNestingError`. */
export function yamlDocuments(source: string, options: YamlDocumentsOptions = {}): Document[] {
  const { depth = 100, lineCounter, ...rest } = options;
  const tokens = [];
  let faults = 0;
  for (const token of new Parser(lineCounter?.addNewLine).parse(source)) {
    checkNesting(token, depth);
    tokens.push(token);
    // Text that is no YAML has a fault at every other character, and each takes a kilobyte.
    if (token.type === 'error' && ++faults > maximumFaults) break;
  }
  return [...new Composer({ ...rest, ...(lineCounter === undefined ? {} : { lineCounter }) }).compose(tokens)];
}
