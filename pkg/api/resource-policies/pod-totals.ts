import { addQuantities, compareQuantities, parseQuantity, type Quantity } from '../quantity.ts';
import type { Container, PodSpec } from '../shapes/types/core-v1.ts';

export type Amounts = ReadonlyMap<string, Quantity>;

/**
 * What a pod asks for, or may use, at once: its containers and sidecars together, or the largest init container with the sidecars before it, whichever is
 * more; plus overhead. Throws QuantityError for amounts that are none.
 */
export function podTotals(spec: PodSpec, of: 'requests' | 'limits'): Amounts {
  const amountsOf = (container: Container): Amounts => parsed(container.resources?.[of]);
  const running = new Map<string, Quantity>();
  for (const container of spec.containers ?? []) addTo(running, amountsOf(container));
  const sidecars = new Map<string, Quantity>();
  const starting = new Map<string, Quantity>();
  for (const container of spec.initContainers ?? []) {
    const together = new Map(sidecars);
    addTo(together, amountsOf(container));
    if (container.restartPolicy === 'Always') addTo(sidecars, amountsOf(container));
    raiseTo(starting, together);
  }
  addTo(running, sidecars);
  raiseTo(running, starting);
  for (const [name, amount] of parsed(spec.overhead)) if (of === 'requests' || running.has(name)) addTo(running, new Map([[name, amount]]));
  return running;
}

function parsed(quantities: Readonly<Record<string, string>> | undefined): Amounts {
  return new Map(Object.entries(quantities ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}

export function addTo(to: Map<string, Quantity>, what: Amounts): void {
  for (const [name, amount] of what) {
    const present = to.get(name);
    to.set(name, present === undefined ? amount : addQuantities(present, amount));
  }
}

function raiseTo(to: Map<string, Quantity>, what: Amounts): void {
  for (const [name, amount] of what) {
    const present = to.get(name);
    if (present === undefined || compareQuantities(present, amount) < 0) to.set(name, amount);
  }
}
