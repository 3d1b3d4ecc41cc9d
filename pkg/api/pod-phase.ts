import type { Pod } from './shapes/types/core-v1.ts';

/** Whether the pod has ended for good, and holds nothing of its node any more. */
export function isTerminal(pod: { readonly status?: Pick<NonNullable<Pod['status']>, 'phase'> }): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}
