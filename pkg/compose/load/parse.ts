/**
 * YAML text → plain values, the paths that `!reset` and `!override` name, and where everything stands. Anchors and merge keys are resolved here, within
 * bounds on size and depth, so that no file can grow without limit.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  type Scalar as ScalarNode,
  type YAMLMap,
} from 'yaml';
import { YamlNestingError, yamlDocuments } from '#base/yaml-documents';
import { ComposeError, type SourcePosition } from '../compose-error.ts';
import { resolvePlainScalar } from './scalar.ts';
import { displayPath, type Mapping, type Path, type Scalar, setKey, type Value } from './tree.ts';

export interface ParsedDocument {
  readonly value: Value;
  /** Paths whose value from the files before is to be dropped before this document is merged (`!reset`, `!override`). */
  readonly resets: readonly Path[];
  /** By displayed path (`services.web.ports[0]`). */
  readonly positions: ReadonlyMap<string, SourcePosition>;
}

export interface ParseBounds {
  /** Characters of the source. */
  readonly size: number;
  /** Nodes after aliases are expanded. */
  readonly nodes: number;
  readonly depth: number;
}

export const defaultBounds: ParseBounds = { size: 4 << 20, nodes: 200_000, depth: 100 };

/** Every document of the file; empty documents are left out. Throws ComposeError with the position. */
export function parseYaml(source: string, file: string, bounds: ParseBounds = defaultBounds): ParsedDocument[] {
  if (source.length > bounds.size) {
    throw new ComposeError(`the file is larger than ${bounds.size} characters`, {
      file,
      next: 'a Compose file holds no data: move it into configs',
    });
  }
  const lines = new LineCounter();
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  let documents: Document[];
  try {
    documents = yamlDocuments(source, {
      schema: 'failsafe',
      lineCounter: lines,
      logLevel: 'silent',
      prettyErrors: false,
      depth: bounds.depth,
    });
  } catch (error) {
    throw error instanceof YamlNestingError ? new ComposeError(error.message, { position: at(error.offset) }) : error;
  }
  return documents.flatMap((document) => {
    const error = document.errors[0];
    if (error !== undefined) throw new ComposeError(yamlReason(error.message), { position: at(error.pos[0]) });
    if (document.contents === null) return [];
    return [new Builder(at, bounds).build(document.contents)];
  });
}

/** The library's messages end in a full stop or name its own options; ours do not. */
function yamlReason(message: string): string {
  return message === 'Map keys must be unique' ? 'this key is already defined in the same mapping' : `not valid YAML: ${message}`;
}

class Builder {
  readonly #at: (offset: number) => SourcePosition;
  readonly #bounds: ParseBounds;
  readonly #positions = new Map<string, SourcePosition>();
  readonly #resets: Path[] = [];
  readonly #anchors = new Map<string, Node>();
  /** Aliases that are being expanded. */
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(at: (offset: number) => SourcePosition, bounds: ParseBounds) {
    this.#at = at;
    this.#bounds = bounds;
  }

  build(root: Node): ParsedDocument {
    const value = this.#value(root, []);
    return { value: value ?? null, resets: this.#resets, positions: this.#positions };
  }

  /** undefined: the node is a `!reset` and not there. */
  #value(node: Node | null, path: Path): Value | undefined {
    if (node === null) return null;
    if (++this.#nodes > this.#bounds.nodes) {
      throw this.#error(node, path, `more than ${this.#bounds.nodes} values once its aliases are expanded`);
    }
    if (path.length > this.#bounds.depth) {
      throw this.#error(node, path, `nested more than ${this.#bounds.depth} levels deep`);
    }
    const shown = displayPath(path);
    if (!this.#positions.has(shown)) this.#positions.set(shown, this.#position(node));
    if (isAlias(node)) return this.#expand(node, path, (target) => this.#value(target, path));
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    const tag = node.tag;
    if (tag === '!reset') {
      this.#declareAnchors(node);
      this.#resets.push(path);
      return undefined;
    }
    if (tag === '!override') this.#resets.push(path);
    if (isMap(node)) return this.#within(node, path, () => this.#mapping(node, path));
    if (isSeq(node)) {
      return this.#within(node, path, () =>
        node.items.flatMap((item, index) => {
          const value = this.#value(item as Node | null, [...path, index]);
          return value === undefined ? [] : [value];
        }),
      );
    }
    if (isScalar(node)) return this.#scalar(node, path);
    throw this.#error(node, path, 'not a value that Compose knows');
  }

  #mapping(node: YAMLMap, path: Path): Mapping {
    const result: Mapping = {};
    const taken = new Set<string>();
    const merges: Pair[] = [];
    for (const pair of node.items) {
      const key = pair.key as Node;
      if (isScalar(key) && key.type === 'PLAIN' && key.source === '<<') {
        merges.push(pair);
        continue;
      }
      this.#entry(pair, path, result, taken);
    }
    // What the mapping says itself wins over what it merges in; of several merged ones, the first wins.
    for (const pair of merges) this.#merge(pair.value as Node | null, path, result, taken);
    return result;
  }

  #entry(pair: Pair, path: Path, result: Mapping, taken: Set<string>): void {
    const key = this.#key(pair.key as Node, path);
    if (taken.has(key)) return;
    taken.add(key);
    const child = [...path, key];
    const shown = displayPath(child);
    if (!this.#positions.has(shown)) this.#positions.set(shown, this.#position(pair.key as Node));
    const value = this.#value(pair.value as Node | null, child);
    if (value !== undefined) setKey(result, key, value);
  }

  #merge(source: Node | null, path: Path, result: Mapping, taken: Set<string>): void {
    if (source !== null && isAlias(source)) {
      this.#expand(source, path, (target) => this.#merge(target, path, result, taken));
    } else if (isMap(source)) {
      this.#within(source, path, () => {
        if (source.anchor !== undefined) this.#anchors.set(source.anchor, source);
        const nested: Pair[] = [];
        for (const pair of source.items) {
          const key = pair.key as Node;
          if (isScalar(key) && key.source === '<<') nested.push(pair);
          else this.#entry(pair, path, result, taken);
        }
        for (const pair of nested) this.#merge(pair.value as Node | null, path, result, taken);
      });
    } else if (isSeq(source)) {
      for (const item of source.items) this.#merge(item as Node | null, path, result, taken);
    } else {
      throw this.#error(source, path, 'a merge key (<<) takes a mapping or a list of mappings');
    }
  }

  #expand<T>(alias: Alias, path: Path, use: (target: Node) => T): T {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) throw this.#error(alias, path, `no anchor &${alias.source} before this alias`);
    if (this.#open.has(target)) throw this.#error(alias, path, `the alias *${alias.source} is inside what it stands for`);
    return use(target);
  }

  /** An anchor that is referred to from inside itself would never end. */
  #within<T>(node: Node, path: Path, build: () => T): T {
    if (this.#open.has(node)) throw this.#error(node, path, 'an alias is inside what it stands for');
    this.#open.add(node);
    try {
      return build();
    } finally {
      this.#open.delete(node);
    }
  }

  #declareAnchors(node: Node): void {
    if ('anchor' in node && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) for (const pair of node.items) if (pair.value !== null) this.#declareAnchors(pair.value as Node);
    if (isSeq(node)) for (const item of node.items) if (item !== null) this.#declareAnchors(item as Node);
  }

  #key(node: Node | null, path: Path): string {
    const target = node !== null && isAlias(node) ? this.#expand(node, path, (found) => found) : node;
    const key = isScalar(target) ? this.#scalar(target, path) : undefined;
    if (typeof key === 'string') return key;
    const shown = isScalar(target) ? (target.source ?? '') : 'a collection';
    throw this.#error(node, path, `non-string key${path.length === 0 ? '' : ` in ${displayPath(path)}`}: ${shown}`, `quote it`);
  }

  #scalar(node: ScalarNode, path: Path): Scalar {
    if ('anchor' in node && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
    const plain = node.type === undefined || node.type === 'PLAIN';
    switch (node.tag) {
      case undefined:
      case '!override':
      case 'tag:yaml.org,2002:null':
      case 'tag:yaml.org,2002:bool':
      case 'tag:yaml.org,2002:int':
      case 'tag:yaml.org,2002:float':
        return plain || node.tag?.startsWith('tag:') ? resolvePlainScalar(text) : text;
      case '!':
      case 'tag:yaml.org,2002:str':
        return text;
      case 'tag:yaml.org,2002:binary':
        return Buffer.from(text, 'base64').toString('utf8');
      default:
        throw this.#error(node, path, `unknown tag ${node.tag}`, 'Compose knows !reset and !override');
    }
  }

  #position(node: Node): SourcePosition {
    return this.#at(node.range?.[0] ?? 0);
  }

  #error(node: Node | null, path: Path, reason: string, next?: string): ComposeError {
    return new ComposeError(reason, {
      path: displayPath(path),
      ...(node === null ? {} : { position: this.#position(node) }),
      ...(next === undefined ? {} : { next }),
    });
  }
}
