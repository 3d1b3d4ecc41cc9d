import { Address4 } from 'ip-address';

export interface Range {
  /** The first usable address, the node's own. */
  readonly gateway: string;
  /** e.g. `24`. */
  readonly length: number;
  contains(address: string): boolean;
}

/** Throws for what is no IPv4 range. */
export function parseRange(cidr: string): Range {
  const range = new Address4(cidr);
  const first = range.startAddress().bigInt();
  const last = range.endAddress().bigInt();
  return {
    gateway: Address4.fromBigInt(first + 1n).correctForm(),
    length: range.subnetMask,
    contains: (address) => {
      if (!Address4.isValid(address)) return false;
      const number = new Address4(address).bigInt();
      return number >= first && number <= last;
    },
  };
}
