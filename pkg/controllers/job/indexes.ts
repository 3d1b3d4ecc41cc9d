import type { Pod } from '#api/shapes/types/core-v1';

/** On pods of indexed Jobs, as an annotation and as a label. */
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';

/** The completion index of a pod of an indexed Job. */
export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}

/** The indexes of `status.completedIndexes`, which is our own writing: what cannot be read is left out. */
export function indexesOf(text: string): Set<number> {
  const found = new Set<number>();
  for (const [, first = '', last = first] of text.matchAll(/([0-9]{1,9})(?:-([0-9]{1,9}))?/g)) {
    for (let index = Number(first); index <= Number(last); index++) found.add(index);
  }
  return found;
}

/** {0, 1, 2, 5, 6} → `0-2,5,6`: three or more in a row are written as a range, as Kubernetes says. */
export function indexesText(indexes: Iterable<number>): string {
  const sorted = [...new Set(indexes)].toSorted((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    if (end - at >= 2) parts.push(`${sorted[at]}-${sorted[end]}`);
    else parts.push(...sorted.slice(at, end + 1).map(String));
    at = end + 1;
  }
  return parts.join(',');
}
