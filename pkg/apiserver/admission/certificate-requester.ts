import { certificateSigningRequests } from '#api/shapes/resources';
import type { CertificateSigningRequest } from '#api/shapes/types/certificates-v1';
import { parseSigningRequest } from '#api/signing-request';
import { StatusError } from '#base/errors';
import { mastersGroup } from '../request-context.ts';
import type { AdmissionStep } from './admission.ts';

const clientSigner = 'kubernetes.io/kube-apiserver-client';

/** A request for a certificate says who made it, whatever it says itself, and may not ask for the rights that nobody can take back. */
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
  validate: ({ operation, subresource, object, name }) => {
    if (operation !== 'create' || subresource !== undefined) return;
    const { spec } = object as CertificateSigningRequest;
    if (spec.signerName !== clientSigner) return;
    const request = parseSigningRequest(Buffer.from(spec.request, 'base64').toString('latin1'));
    if (request?.organizations.includes(mastersGroup) !== true) return;
    throw new StatusError(
      'Forbidden',
      `certificatesigningrequests.certificates.k8s.io ${JSON.stringify(name ?? '')} is forbidden: use of ${clientSigner} signer with ${mastersGroup} group is not allowed`,
      { details: { name: name ?? '', group: 'certificates.k8s.io', kind: 'certificatesigningrequests' } },
    );
  },
};
