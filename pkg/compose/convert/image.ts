import { ComposeError } from '../compose-error.ts';
import type { Section } from './section.ts';

const policies: Readonly<Record<string, string>> = {
  always: 'Always',
  missing: 'IfNotPresent',
  if_not_present: 'IfNotPresent',
  never: 'Never',
};

/** Compose pulls what is missing, whatever the tag; Kubernetes would pull `latest` every time. */
export const image: Section = {
  name: 'image',
  keys: ['image', 'pull_policy'],
  apply({ service, path }, { container }) {
    if (service.image === undefined) {
      throw new ComposeError('it has no image, and Berth builds none', {
        path: service.build === undefined ? path : `${path}.build`,
        next: 'build the image with your own tool, load it with `berth image load`, and name it with image:',
      });
    }
    const policy = policies[service.pull_policy ?? 'missing'];
    if (policy === undefined) {
      throw new ComposeError(`pull_policy ${service.pull_policy} is not supported`, {
        path: `${path}.pull_policy`,
        next: 'use always, missing or never',
      });
    }
    container.image = service.image;
    container.imagePullPolicy = policy;
  },
};
