import type { Section } from '#compose/convert/section';

export const toy: Section = {
  name: 'toy',
  keys: [],
  apply: ({ name }, draft) => {
    draft.podAnnotations['toys.example/service'] = name;
  },
};
