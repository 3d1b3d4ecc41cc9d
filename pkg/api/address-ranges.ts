/** Ranges of addresses (`10.0.0.0/8`, `fd00::/8`). */
import { Address4, Address6 } from 'ip-address';

export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly prefix: number;
  /** Whether the text is the network's own address in its canonical spelling. */
  readonly isCanonical: boolean;
  /** Whether the text names the network's first address. */
  readonly isNetwork: boolean;
}

/** Undefined for text that is none. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const match = /^([0-9A-Fa-f.:]{2,45})\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match?.[1] ?? '';
  const prefix = Number(match?.[2]);
  if (match === null) return undefined;
  if (Address4.isValid(address)) {
    if (prefix > 32) return undefined;
    const given = new Address4(address);
    return rangeOf(4, given.bigInt(), prefix, 32, given.correctForm() === address);
  }
  if (!Address6.isValid(address) || prefix > 128) return undefined;
  const given = new Address6(address);
  return rangeOf(6, given.bigInt(), prefix, 128, given.correctForm() === address);
}

function rangeOf(family: 4 | 6, address: bigint, prefix: number, bits: number, isCorrect: boolean): AddressRange {
  const rest = BigInt(bits - prefix);
  const first = (address >> rest) << rest;
  return { family, first, prefix, isCanonical: isCorrect && first === address, isNetwork: first === address };
}

/** Whether `inner` lies in `outer` and is smaller. */
export function isStrictlyWithin(inner: AddressRange, outer: AddressRange): boolean {
  if (inner.family !== outer.family || inner.prefix <= outer.prefix) return false;
  const rest = BigInt((outer.family === 4 ? 32 : 128) - outer.prefix);
  return inner.first >> rest === outer.first >> rest;
}
