import { ComposeError } from '../compose-error.ts';
import { literal, type Section } from './section.ts';

/** env_file has been read by the loader. A variable without a value is not set. */
export const environment: Section = {
  name: 'environment',
  keys: ['environment', 'env_file'],
  apply({ service, path }, { container }) {
    const env = Object.entries(service.environment ?? {}).flatMap(([name, value]) => {
      if (name === '' || name.includes('='))
        throw new ComposeError(`${JSON.stringify(name)} is no variable name`, { path: `${path}.environment` });
      return value === null ? [] : [{ name, value: literal(value) }];
    });
    if (env.length > 0) container.env = env.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  },
};
