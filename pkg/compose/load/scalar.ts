/**
 * How a plain YAML scalar is read, which for Compose is neither YAML 1.1 nor 1.2: `yes` and `on` are strings, `0440` and `0o440` are octal, `1_000` is a
 * number, and what looks like a date is one.
 */
import { type Scalar, YamlTimestamp } from './tree.ts';

const constants: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ['', null],
  ['~', null],
  ['null', null],
  ['Null', null],
  ['NULL', null],
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['FALSE', false],
  ...['.nan', '.NaN', '.NAN'].map((text): [string, Scalar] => [text, Number.NaN]),
  ...['.inf', '.Inf', '.INF'].flatMap((text): [string, Scalar][] => [
    [text, Number.POSITIVE_INFINITY],
    [`+${text}`, Number.POSITIVE_INFINITY],
    [`-${text}`, Number.NEGATIVE_INFINITY],
  ]),
]);

const integerPattern = /^([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)$/;
const floatPattern = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const datePattern =
  /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{2}(:[0-9]{2})?))?)?$/;

export function resolvePlainScalar(text: string): Scalar {
  const constant = constants.get(text);
  if (constant !== undefined) return constant;
  if (!/^[-+.0-9]/.test(text)) return text;
  if (datePattern.test(text)) return new YamlTimestamp(text);
  const plain = text.replaceAll('_', '');
  const integer = integerPattern.exec(plain);
  if (integer !== null) return parseInteger(integer[1] === '-', integer[2] ?? '0');
  if (floatPattern.test(plain)) return Number(plain);
  return text;
}

function parseInteger(negative: boolean, digits: string): number | bigint {
  const literal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase();
  const size = BigInt(literal);
  const value = negative ? -size : size;
  const small = Number(value);
  if (Number.isSafeInteger(small)) return small;
  return value >= -(2n ** 63n) && value < 2n ** 64n ? value : small;
}
