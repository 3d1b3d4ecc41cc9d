/** JSON pointers (RFC 6901): the paths of a JSON patch. */

const arrayIndex = /^(?:0|-?[1-9][0-9]{0,15})$/;

/** The keys of a pointer; undefined for text that is none. */
export function parsePointer(text: string): string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('/')) return undefined;
  const keys = text.slice(1).split('/');
  return text.includes('~') ? keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~')) : keys;
}

/** The index that a key means in a list of this length, where negative ones count from its end; undefined for one outside of it. */
export function indexIn(length: number, key: string): number | undefined {
  if (!arrayIndex.test(key)) return undefined;
  const given = Number(key);
  const index = given < 0 ? given + length : given;
  return index >= 0 && index < length ? index : undefined;
}
