/** Letters and digits that spell no words, as Kubernetes uses them. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const maximumNameLength = 63;

/** `base` (cut to fit a DNS label) and five random characters. `random` is in [0, 1). */
export function generateName(base: string, random: () => number): string {
  let name = base.slice(0, maximumNameLength - suffixLength);
  for (let index = 0; index < suffixLength; index++) name += alphabet.charAt(Math.floor(random() * alphabet.length));
  return name;
}
