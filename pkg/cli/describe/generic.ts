/** Any object as indented fields: nothing is hidden. */
import type { KubernetesObject } from '#api/object';
import type { Line, Value } from './sections.ts';

export function describeFields(object: KubernetesObject): Line[] {
  return Object.entries(object)
    .filter(([name]) => !['apiVersion', 'kind', 'metadata'].includes(name))
    .map(([name, value]): Line => [title(name), toValue(value)]);
}

function toValue(value: unknown): Value {
  if (Array.isArray(value)) {
    return value.every((item) => typeof item !== 'object')
      ? value.join(', ')
      : value.map((item, index): Line => [String(index), toValue(item)]);
  }
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([name, item]): Line => [title(name), toValue(item)]);
  return String(value);
}

/** `clusterIP` → `Cluster IP`; keys that are data rather than field names stay as they are. */
function title(name: string): string {
  if (!/^[a-z][A-Za-z]*$/.test(name)) return name;
  const words = name.replaceAll(/([a-z])([A-Z])/g, '$1 $2');
  return words[0]!.toUpperCase() + words.slice(1);
}
