import { createHash } from 'node:crypto';

/** Kubernetes' safe alphabet: no vowels and no look-alikes, so that no hash spells a word. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** JSON with sorted keys and without undefined members: equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const members = value as Readonly<Record<string, unknown>>;
  const parts = Object.keys(members)
    .filter((key) => members[key] !== undefined)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(members[key])}`);
  return `{${parts.join(',')}}`;
}

/** A short, stable name for a value: ten characters that may stand in labels and names. `salt` tells values apart whose hashes collided. */
export function shortHash(value: unknown, salt = ''): string {
  const digest = createHash('sha256').update(canonicalJson(value)).update(salt).digest();
  let text = '';
  for (let index = 0; index < 10; index++) text += alphabet.charAt(digest.readUInt16BE(index * 2) % alphabet.length);
  return text;
}

/** Five random characters for `generateName`; `random` is in [0, 1). */
export function randomSuffix(random: () => number = Math.random): string {
  let text = '';
  for (let index = 0; index < 5; index++) text += alphabet.charAt(Math.floor(random() * alphabet.length));
  return text;
}
