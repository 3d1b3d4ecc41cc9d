/**
 * Reading JSON text: what `JSON.parse` does not say (fields that stand twice, nesting without bound).
 */
import { messageOf, StatusError } from '#base/errors';
import { joinPath, maximumDepth } from './decode.ts';

const quote = 0x22;
const backslash = 0x5c;

/** Parses JSON text. Throws StatusError BadRequest where it is none, or is nested too deeply to be handled. */
export function parseJson(text: string): unknown {
  // Before it is parsed: building what is nested too deeply is what takes long.
  if (isTooDeep(text)) throw new StatusError('BadRequest', `the body is nested deeper than ${maximumDepth} levels`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StatusError('BadRequest', `couldn't parse the body as JSON: ${messageOf(error)}`);
  }
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case quote:
        index = endOfString(text, index);
        break;
      case 0x7b:
      case 0x5b:
        if (++depth > maximumDepth) return true;
        break;
      case 0x7d:
      case 0x5d:
        depth--;
        break;
      default:
    }
  }
  return false;
}

/** The index of the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

interface Level {
  readonly keys: Set<string> | undefined;
  index: number;
  key: string;
}

/** Paths of the fields that stand more than once in well-formed JSON text; at most a hundred. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  let wantsKey = false;
  for (let index = 0; index < text.length && found.length < 100; index++) {
    const code = text.charCodeAt(index);
    const level = levels.at(-1);
    if (code === quote) {
      const end = endOfString(text, index);
      if (wantsKey && level?.keys !== undefined) {
        const raw = text.slice(index + 1, end);
        const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
        level.key = key;
        if (level.keys.has(key)) found.push(joinPath(levels.map((one) => (one.keys === undefined ? one.index : one.key))));
        else level.keys.add(key);
        wantsKey = false;
      }
      index = end;
    } else if (code === 0x7b) {
      levels.push({ keys: new Set(), index: 0, key: '' });
      wantsKey = true;
    } else if (code === 0x5b) {
      levels.push({ keys: undefined, index: 0, key: '' });
      wantsKey = false;
    } else if (code === 0x7d || code === 0x5d) {
      levels.pop();
      wantsKey = false;
    } else if (code === 0x2c && level !== undefined) {
      level.index++;
      wantsKey = level.keys !== undefined;
    }
  }
  return found;
}
