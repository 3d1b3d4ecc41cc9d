/**
 * The check on the nesting of YAML (see yaml-documents.ts), apart from it because threads of plain JavaScript need it too.
 */

/** Thrown before anything is composed. `offset` is where the first level too many begins. */
export class YamlNestingError extends Error {
  name = 'YamlNestingError';

  /** @param {number} depth @param {number} offset */
  constructor(depth, offset) {
    super(`nested more than ${depth} levels deep`);
    this.offset = offset;
  }
}

/** Throws `YamlNestingError` for a token of the parser that holds more than `depth` collections within each other. @param {object} root @param {number} depth */
export function checkNesting(root, depth) {
  const open = [{ token: root, level: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, level } = next;
    const collection = 'items' in token && Array.isArray(token.items);
    if (collection && level > depth) {
      throw new YamlNestingError(depth, 'offset' in token && typeof token.offset === 'number' ? token.offset : 0);
    }
    const inner = collection ? level + 1 : level;
    if (collection) for (const item of token.items) open.push({ token: item, level: inner });
    for (const child of [token.key, token.value]) {
      if (typeof child === 'object' && child !== null) open.push({ token: child, level: inner });
    }
  }
}
