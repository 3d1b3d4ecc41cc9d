import { parseQuantity } from '../quantity.ts';
import type { PodSpec } from '../shapes/types/core-v1.ts';

/**
 * `Guaranteed` where every container has limits for CPU and memory that equal its requests, `BestEffort` where none asks for either, else `Burstable`.
 */
export function qosClassOf(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  let asksAny = false;
  let isGuaranteed = true;
  for (const { resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    for (const name of ['cpu', 'memory']) {
      const limit = amount(resources?.limits?.[name]);
      const request = amount(resources?.requests?.[name]);
      if (limit > 0n || request > 0n) asksAny = true;
      if (limit === 0n || (request !== 0n && request !== limit)) isGuaranteed = false;
    }
  }
  if (!asksAny) return 'BestEffort';
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}

function amount(quantity: string | undefined): bigint {
  return quantity === undefined ? 0n : parseQuantity(quantity).nano;
}
