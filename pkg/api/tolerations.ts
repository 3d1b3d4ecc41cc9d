import type { Taint, Toleration } from './shapes/types/core-v1.ts';

/** Whether one of the tolerations covers the taint (Kubernetes' rules: no effect means all, no key with Exists means all). */
export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => {
    if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false;
    if ((toleration.key ?? '') !== '' && toleration.key !== taint.key) return false;
    if (toleration.operator === 'Exists') return true;
    return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
  });
}

/** `{key: value}`, as messages name a taint. */
export function taintText(taint: Taint): string {
  return `{${taint.key}: ${taint.value ?? ''}}`;
}
