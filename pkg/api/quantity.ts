/**
 * Amounts of resources as Kubernetes spells them (`500m`, `1.5Gi`, `12e6`): exact, in bigints of nano-units, with the
 * canonical spelling of apimachinery `api/resource`: no fraction, the largest suffix that loses nothing, the family of suffixes kept.
 */

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The amount times 10⁹; finer fractions were rounded away from zero when it was parsed. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

/** Thrown by `parseQuantity`; the message has Kubernetes' words. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const nanoPerUnit = 1_000_000_000n;
const maximumNano = (2n ** 63n - 1n) * nanoPerUnit;
const longest = 256;

const decimalPowers: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binaryPowers: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

const wholePattern = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([a-zA-Z]*)([+-]?[0-9]*)$/;
const canonicalPattern = /^(?:0|[1-9][0-9]{0,2}(?:n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$/;

/** Throws `QuantityError`. Amounts beyond 2⁶³−1 become that, as in Kubernetes. */
export function parseQuantity(text: string): Quantity {
  const match = text.length > longest ? null : wholePattern.exec(text);
  if (match === null) throw wrongFormat();
  const [, sign = '', whole = '', fraction = '', letters = '', trailing = ''] = match;
  if (whole === '' && fraction === '') {
    throw /^[+-]?\.?[a-zA-Z]/.test(text) || /^[+-]?\.?$/.test(text)
      ? wrongFormat()
      : new QuantityError('unable to parse numeric part of quantity');
  }
  let format: QuantityFormat;
  let decimal = 0;
  let binary = 0;
  if ((letters === 'e' || letters === 'E') && trailing !== '' && /[0-9]$/.test(trailing)) {
    format = 'DecimalExponent';
    decimal = Number(trailing);
  } else if (trailing !== '') {
    throw new QuantityError("unable to parse quantity's suffix");
  } else if (Object.hasOwn(decimalPowers, letters)) {
    format = 'DecimalSI';
    decimal = decimalPowers[letters] ?? 0;
  } else if (Object.hasOwn(binaryPowers, letters)) {
    format = 'BinarySI';
    binary = binaryPowers[letters] ?? 0;
  } else {
    throw new QuantityError("unable to parse quantity's suffix");
  }
  const digits = BigInt(whole + fraction);
  const nano = scale(digits, decimal - fraction.length + 9, binary);
  const bounded = nano > maximumNano ? maximumNano : nano;
  if (format === 'BinarySI' && bounded > 0n && bounded < nanoPerUnit) format = 'DecimalSI';
  return { nano: sign === '-' ? -bounded : bounded, format };
}

/** digits × 10^decimal × 2^binary, rounded up; stops early where the result is beyond all bounds. */
function scale(digits: bigint, decimal: number, binary: number): bigint {
  if (digits === 0n) return 0n;
  const shifted = digits << BigInt(binary);
  if (decimal >= 0) return decimal > 40 ? maximumNano : shifted * 10n ** BigInt(decimal);
  if (decimal < -2 * longest) return 1n;
  const divisor = 10n ** BigInt(-decimal);
  return (shifted + divisor - 1n) / divisor;
}

/** The canonical spelling: equal amounts of one format are spelled the same. */
export function formatQuantity(quantity: Quantity): string {
  const { nano } = quantity;
  if (nano === 0n) return '0';
  const magnitude = nano < 0n ? -nano : nano;
  const sign = nano < 0n ? '-' : '';
  let format = quantity.format;
  if (format === 'BinarySI' && (magnitude < 1024n * nanoPerUnit || magnitude % nanoPerUnit !== 0n)) format = 'DecimalSI';
  if (format === 'BinarySI') {
    let mantissa = magnitude / nanoPerUnit;
    let power = 0;
    while (power < 6 && (mantissa & 1023n) === 0n) {
      mantissa >>= 10n;
      power++;
    }
    return `${sign}${mantissa}${binarySuffixes[power] ?? ''}`;
  }
  let mantissa = magnitude;
  let power = 0;
  while (power < decimalSuffixes.length - 1 && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    power++;
  }
  if (format === 'DecimalSI') return `${sign}${mantissa}${decimalSuffixes[power] ?? ''}`;
  const exponent = power * 3 - 9;
  return exponent === 0 ? `${sign}${mantissa}` : `${sign}${mantissa}e${exponent}`;
}

/** `1000m` → `1`. Throws `QuantityError`. */
export function canonicalQuantity(text: string): string {
  return canonicalPattern.test(text) ? text : formatQuantity(parseQuantity(text));
}

/** Negative, zero or positive, as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  if (a.nano === b.nano) return 0;
  return a.nano < b.nano ? -1 : 1;
}

/** In the format of `a` (of `b` where `a` is zero), as Kubernetes does. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format };
}

export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano - b.nano, format: a.nano === 0n ? b.format : a.format };
}

/** Whole units, rounded away from zero: bytes of a memory quantity. Beyond 2⁵³ it is the nearest double. Throws `QuantityError`. */
export function unitsOf(text: string): number {
  return Number(divideAway(parseQuantity(text).nano, nanoPerUnit));
}

/** Thousandths, rounded away from zero: `milliOf('1.5')` is 1500. Throws `QuantityError`. */
export function milliOf(text: string): number {
  return Number(divideAway(parseQuantity(text).nano, 1_000_000n));
}

/** The quantity of so many whole units. */
export function quantityOf(units: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nano: BigInt(units) * nanoPerUnit, format };
}

/** The quantity of so many thousandths. */
export function quantityOfMilli(milli: number | bigint): Quantity {
  return { nano: BigInt(milli) * 1_000_000n, format: 'DecimalSI' };
}

function divideAway(value: bigint, divisor: bigint): bigint {
  return value < 0n ? -((-value + divisor - 1n) / divisor) : (value + divisor - 1n) / divisor;
}

function wrongFormat(): QuantityError {
  return new QuantityError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}
