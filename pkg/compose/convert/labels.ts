import { checkLabelValue, checkQualifiedName } from '#api/names';
import { ComposeError } from '../compose-error.ts';
import type { Section } from './section.ts';

/**
 * Labels of a service are labels of its pods where Kubernetes takes them as such, else annotations: they may hold anything (routing rules, JSON).
 * `deploy.labels` are the service's own and go to its headless Service (networks.ts).
 */
export const labels: Section = {
  name: 'labels',
  keys: ['labels', 'label_file', 'annotations'],
  apply(context, draft) {
    for (const [key, value] of Object.entries(context.service.annotations ?? {})) {
      checkKey(key, `${context.path}.annotations.${key}`);
      draft.podAnnotations[key] = value;
    }
    addLabels(context.service.labels ?? {}, `${context.path}.labels`, { labels: draft.podLabels, annotations: draft.podAnnotations });
  },
};

/** Adds each to the labels, or to the annotations where its value is none of a label. */
export function addLabels(
  from: Readonly<Record<string, string>>,
  path: string,
  to: { labels: Record<string, string>; annotations: Record<string, string> },
): void {
  for (const [key, value] of Object.entries(from)) {
    checkKey(key, `${path}.${key}`);
    if (checkLabelValue(value).length === 0) to.labels[key] = value;
    else to.annotations[key] = value;
  }
}

function checkKey(key: string, path: string): void {
  if (/(^|\.)berth\.dev\//.test(key)) throw new ComposeError('keys of berth.dev are set by Berth', { path, next: 'choose another prefix' });
  const fault = checkQualifiedName(key)[0];
  if (fault !== undefined) throw new ComposeError(`${JSON.stringify(key)} cannot be a label's key: ${fault}`, { path });
}
