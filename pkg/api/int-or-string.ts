/** `IntOrString` of Kubernetes: a number, or text that may be a percentage (`25%`). */

export type IntOrString = number | string;

/** The share of `total` that a percentage stands for, or the number itself. Undefined for text that is no percentage. */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number | undefined {
  if (typeof value === 'number') return value;
  const percent = percentOf(value);
  if (percent === undefined) return undefined;
  const share = (percent * total) / 100;
  return roundUp ? Math.ceil(share) : Math.floor(share);
}

/** `25%` → 25; undefined for anything else. */
export function percentOf(text: string): number | undefined {
  const digits = /^(\d{1,9})%$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
