/**
 * Reading JSON text: what `JSON.parse` does not say (fields that stand twice, nesting and numbers of values without bound). All of that is found by one
 * pass over the text, which can be made in pieces; only what passes it is parsed, because building too much is what takes long.
 */
import { messageOf, StatusError } from '#base/errors';
import { joinPath, maximumDepth } from './decode.ts';

const quote = 0x22;
const backslash = 0x5c;

/**
 * The most values (members, items, objects, lists) of one body. An object that can be stored, of 1.5 MB, has 30 bytes for each; what it bounds is how
 * long one object can keep everyone waiting.
 */
export const maximumValues = 50_000;
const maximumDuplicates = 100;

/** What a body is refused with that has more than `maximumValues`. */
export function tooManyValues(): StatusError {
  return new StatusError(
    'RequestEntityTooLarge',
    `Request entity too large: the body has more than ${maximumValues} values: split the object, or put more into each value`,
  );
}

/** Parses JSON text. Throws StatusError BadRequest where it is none, or is nested too deeply to be handled; RequestEntityTooLarge past `maximumValues`. */
export function parseJson(text: string, scan = new JsonScan(text)): unknown {
  scan.run(text.length);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StatusError('BadRequest', `couldn't parse the body as JSON: ${messageOf(error)}`);
  }
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

/** One pass over JSON text; whether that is well-formed is not its to say. */
export class JsonScan {
  /** Paths of the fields that stand more than once; at most a hundred. */
  readonly duplicates: string[] = [];
  readonly #text: string;
  readonly #levels: Level[] = [];
  #position = 0;
  #wantsKey = false;
  #values = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** How many values were seen, to within one. */
  get values(): number {
    return this.#values;
  }

  /** Goes on for this many characters, or a string more; false when the end is reached. Throws as `parseJson` does. */
  run(characters: number): boolean {
    const text = this.#text;
    const until = Math.min(text.length, this.#position + characters);
    let index = this.#position;
    for (; index < until; index++) {
      switch (text.charCodeAt(index)) {
        case quote: {
          const end = endOfString(text, index);
          if (this.#wantsKey) this.#key(text.slice(index + 1, end));
          index = end;
          break;
        }
        case 0x7b:
          this.#open({ keys: new Set(), index: 0, key: '' });
          this.#wantsKey = true;
          break;
        case 0x5b:
          this.#open({ keys: undefined, index: 0, key: '' });
          this.#wantsKey = false;
          break;
        case 0x7d:
        case 0x5d:
          this.#levels.pop();
          this.#wantsKey = false;
          break;
        case 0x2c: {
          this.#count();
          const level = this.#levels.at(-1);
          if (level === undefined) break;
          level.index++;
          this.#wantsKey = level.keys !== undefined;
          break;
        }
        default:
      }
    }
    this.#position = index;
    return index < text.length;
  }

  #open(level: Level): void {
    this.#count();
    if (this.#levels.push(level) > maximumDepth)
      throw new StatusError('BadRequest', `the body is nested deeper than ${maximumDepth} levels`);
  }

  #count(): void {
    if (++this.#values > maximumValues) throw tooManyValues();
  }

  #key(raw: string): void {
    this.#wantsKey = false;
    const level = this.#levels.at(-1);
    if (level?.keys === undefined) return;
    const key = raw.includes(String.fromCharCode(backslash)) ? unescaped(raw) : raw;
    level.key = key;
    if (!level.keys.has(key)) level.keys.add(key);
    else if (this.duplicates.length < maximumDuplicates) {
      this.duplicates.push(joinPath(this.#levels.map((one) => (one.keys === undefined ? one.index : one.key))));
    }
  }
}

/** A key as it is meant; as it stands where that is no JSON, which the parser will say. */
function unescaped(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}
