import { certificateSigningRequests } from '#api/shapes/resources';
import type { CertificateSigningRequest } from '#api/shapes/types/certificates-v1';
import type { AdmissionStep } from './admission.ts';

/** A request for a certificate says who made it, whatever it says itself. */
export const certificateRequester: AdmissionStep = {
  name: 'certificate-requester',
  resources: [certificateSigningRequests],
  mutate: ({ operation, subresource, object, context }) => {
    if (operation !== 'create' || subresource !== undefined) return;
    const { spec } = object as CertificateSigningRequest;
    const { name, groups, uid, extra } = context.user;
    spec.username = name;
    spec.groups = [...groups];
    if (uid === undefined) delete spec.uid;
    else spec.uid = uid;
    if (extra === undefined) delete spec.extra;
    else spec.extra = Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]]));
  },
};
