/** How volumes can be mounted, for claims as for volumes. */
import type { FieldErrors } from '../field-errors.ts';

const shortNames: Readonly<Record<string, string>> = {
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOnce: 'RWO',
  ReadWriteOncePod: 'RWOP',
};

/** `RWO,ROX`. */
export function formatAccessModes(modes: readonly string[] | undefined): string {
  return ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']
    .filter((mode) => modes?.includes(mode) === true)
    .map((mode) => shortNames[mode] ?? mode)
    .join(',');
}

/** At least one is required; `detail` says so. */
export function validateAccessModes(modes: readonly string[] | undefined, path: string, detail: string, errors: FieldErrors): void {
  if (modes === undefined || modes.length === 0) errors.required(path, detail);
  for (const mode of modes ?? []) if (!Object.hasOwn(shortNames, mode)) errors.notSupported(path, mode, Object.keys(shortNames));
  const isOnce = modes?.includes('ReadWriteOncePod') === true;
  if (isOnce && modes.some((mode) => mode !== 'ReadWriteOncePod' && Object.hasOwn(shortNames, mode))) {
    errors.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}
