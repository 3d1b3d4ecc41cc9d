/**
 * Looks over JSON text for what `JSON.parse` lets pass: keys that occur twice in one object, and nesting so deep that it can
 * only be meant to harm. It does not judge the syntax; run `JSON.parse` for that.
 */
import { StatusError } from '#base/errors';

/** Deeper than any object of the API, and far from what the stack bears. */
export const maximumDepth = 500;

interface Level {
  readonly keys: Set<string> | undefined;
  /** Path of the key or index whose value is being read. */
  segment: string;
  index: number;
}

/** The paths (`spec.containers[0].image`) of keys that occur again in their object. Throws `BadRequest` when nested too deeply. */
export function findDuplicateKeys(text: string): string[] {
  const duplicates: string[] = [];
  const levels: Level[] = [];
  let top: Level | undefined;
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: {
        const object = text.charCodeAt(at) === 0x7b;
        top = { keys: object ? new Set() : undefined, segment: object ? '' : '[0]', index: 0 };
        levels.push(top);
        if (levels.length > maximumDepth) throw tooDeep();
        expectKey = object;
        break;
      }
      case 0x7d: // }
      case 0x5d: // ]
        levels.pop();
        top = levels[levels.length - 1];
        expectKey = false;
        break;
      case 0x2c: // ,
        expectKey = top?.keys !== undefined;
        if (top !== undefined && top.keys === undefined) top.segment = `[${++top.index}]`;
        break;
      case 0x22: {
        const end = endOfString(text, at);
        if (expectKey && top?.keys !== undefined) {
          const raw = text.slice(at + 1, end);
          const key = raw.includes('\\') ? decodeKey(raw) : raw;
          top.segment = key;
          if (top.keys.has(key)) duplicates.push(pathOf(levels));
          else top.keys.add(key);
          expectKey = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
  return duplicates;
}

export function tooDeep(): StatusError {
  return new StatusError('BadRequest', `the body is nested more than ${maximumDepth} levels deep`);
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}

function decodeKey(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

function pathOf(levels: readonly Level[]): string {
  let path = '';
  for (const { segment } of levels) path += segment.startsWith('[') || path === '' ? segment : `.${segment}`;
  return path;
}
