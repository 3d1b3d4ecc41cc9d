import type { AdmissionStep } from '#apiserver/admission/admission';
import { StatusError } from '#base/errors';

export const toyStep: AdmissionStep = {
  name: 'toy',
  resources: [{ group: '', plural: 'configmaps' }],
  mutate: ({ object, operation }) => {
    if (operation === 'create') object.metadata.labels = { ...object.metadata.labels, toy: 'seen' };
  },
  validate: ({ object }) => {
    if (object.metadata.name === 'no-toys') throw new StatusError('Forbidden', 'no toys, no config map');
  },
};
