/** Gives each node a piece of the cluster's range of pod addresses. Pure. IPv4. */

/** Bits of one node's piece: a /24, 254 addresses. */
const nodeBits = 24;

/** The first piece of `clusterCidr` that nobody has; undefined when all are taken. Throws for a range that cannot be divided. */
export function freePodRange(clusterCidr: string, taken: Iterable<string>): string | undefined {
  const { base, bits } = parse(clusterCidr);
  const used = new Set([...taken]);
  const count = 2 ** (nodeBits - bits);
  for (let n = 0; n < count; n++) {
    const range = `${format(base + n * 256)}/${nodeBits}`;
    if (!used.has(range)) return range;
  }
  return undefined;
}

function parse(cidr: string): { base: number; bits: number } {
  const [address = '', length = ''] = cidr.split('/');
  const parts = address.split('.').map(Number);
  const bits = Number(length);
  const valid = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  if (!valid || !Number.isInteger(bits) || bits < 8 || bits > nodeBits) {
    throw new Error(`"${cidr}" is no range of pod addresses: give an IPv4 range from /8 to /${nodeBits}, for example 10.42.0.0/16`);
  }
  const number = parts.reduce((sum, part) => sum * 256 + part, 0);
  return { base: number - (number % 2 ** (32 - bits)), bits };
}

function format(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
