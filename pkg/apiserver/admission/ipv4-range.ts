/** A range of IPv4 addresses in CIDR notation, as numbers. */
export class Ipv4Range {
  readonly text: string;
  readonly #first: number;
  readonly #size: number;

  /** Throws on what is no IPv4 CIDR. */
  constructor(text: string) {
    const [address = '', bits = ''] = text.split('/');
    const number = parseIpv4(address);
    const prefix = Number(bits);
    if (number === undefined || !/^\d+$/.test(bits) || prefix > 30 || prefix < 8) {
      throw new Error(`${JSON.stringify(text)} is no IPv4 range such as 10.43.0.0/16 (with 8 to 30 bits)`);
    }
    this.text = text;
    this.#size = 2 ** (32 - prefix);
    this.#first = Math.floor(number / this.#size) * this.#size;
  }

  /** Number of addresses that may be given out: all but the network's own and the last. */
  get size(): number {
    return this.#size - 2;
  }

  /** The usable address at this place, from 0. */
  at(index: number): string {
    return formatIpv4(this.#first + 1 + index);
  }

  /** Whether it is a usable address of the range. */
  has(address: string): boolean {
    const number = parseIpv4(address);
    return number !== undefined && number > this.#first && number < this.#first + this.#size - 1;
  }
}

/** Undefined for what is no IPv4 address in its plain form. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let number = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    number = number * 256 + Number(part);
  }
  return number;
}

function formatIpv4(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
