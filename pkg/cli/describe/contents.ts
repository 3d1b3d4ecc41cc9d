import type { ConfigMap, Secret } from '#api/shapes/types/core-v1';
import { defineDescriber } from './describer.ts';
import type { Line } from './sections.ts';

/** Keys and texts as they are: they are the user's. */
export const configMapDescriber = defineDescriber<ConfigMap>(
  '',
  'ConfigMap',
  ({ data = {}, binaryData = {}, immutable }): readonly Line[] => [
    ...(immutable === true ? [['Immutable', 'true'] as Line] : []),
    '',
    'Data',
    '====',
    ...Object.keys(data)
      .toSorted()
      .flatMap((key) => [`${key}:`, '----', ...(data[key] ?? '').split('\n'), '']),
    '',
    'BinaryData',
    '====',
    ...Object.keys(binaryData)
      .toSorted()
      .map((key) => `${key}: ${sizeOf(binaryData[key])} bytes`),
    '',
  ],
);

/** Never what is in it. */
export const secretDescriber = defineDescriber<Secret>('', 'Secret', ({ type, data = {}, immutable }): readonly Line[] => [
  ...(immutable === true ? [['Immutable', 'true'] as Line] : []),
  '',
  ['Type', type],
  '',
  'Data',
  '====',
  ...Object.keys(data)
    .toSorted()
    .map((key) => `${key}:  ${sizeOf(data[key])} bytes`),
]);

function sizeOf(base64: string | undefined): number {
  return Buffer.from(base64 ?? '', 'base64').length;
}
