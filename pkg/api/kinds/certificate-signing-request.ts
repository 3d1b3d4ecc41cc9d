import { defineKind } from '../define-kind.ts';
import { validateDomainPath } from '../domain-path.ts';
import { FieldErrors } from '../field-errors.ts';
import { humanDuration } from '../human-duration.ts';
import type { Subresource } from '../kind.ts';
import { checkPathSegment } from '../names.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../shapes/types/certificates-v1.ts';
import { keepStatus, statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const self = { group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest' };
const typeName = 'certificates.v1.CertificateSigningRequest';
const leastSeconds = 600;
const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];

const isDecision = ({ type }: CertificateSigningRequestCondition): boolean => type === 'Approved' || type === 'Denied';

/** Writes through it change who approved or denied the request, and nothing else. */
const approval: Subresource<CertificateSigningRequest> = {
  name: 'approval',
  kind: self,
  typeName,
  verbs: ['get', 'patch', 'update'],
  write: (old, body) => {
    const decisions = ((body as CertificateSigningRequest).status?.conditions ?? []).filter(isDecision);
    const others = (old.status?.conditions ?? []).filter((condition) => !isDecision(condition));
    const conditions = [...others, ...decisions];
    return { ...old, status: { ...old.status, ...(conditions.length === 0 ? {} : { conditions }) } };
  },
  validate: ({ status }, old) => {
    const errors = new FieldErrors();
    const decisions = (status?.conditions ?? []).filter(isDecision);
    if (new Set(decisions.map(({ type }) => type)).size > 1) {
      errors.invalid(
        'status.conditions',
        decisions.map(({ type }) => type),
        'Approved and Denied conditions are mutually exclusive',
      );
    }
    for (const { type } of (old.status?.conditions ?? []).filter(isDecision)) {
      if (!decisions.some((each) => each.type === type))
        errors.forbidden('status.conditions', `updates may not remove a condition of type ${JSON.stringify(type)}`);
    }
    return errors;
  },
};

export const certificateSigningRequest = defineKind<CertificateSigningRequest>({
  group: self.group,
  kind: self.kind,
  description: 'Asks for a certificate.',
  support: 'acted on',
  supportNote:
    "signed once approved, for Kubernetes' signers kube-apiserver-client, kube-apiserver-client-kubelet and kubelet-serving; agents get theirs by enrolling",
  nameRule: checkPathSegment,
  subresources: [statusSubresource<CertificateSigningRequest>(self, typeName), approval],
  defaults: ({ spec }) => {
    spec.usages ??= ['digital signature', 'key encipherment'];
  },
  // Who asks, and for what, does not change.
  beforeUpdate: (draft, old) => {
    draft.spec = structuredClone(old.spec);
    keepStatus(draft, old);
  },
  changesGeneration: undefined,
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const fault = faultOfRequest(spec.request);
    if (fault !== undefined) errors.invalid('spec.request', spec.request, fault);
    const seen = new Set<string>();
    if ((spec.usages ?? []).length === 0) errors.required('spec.usages');
    for (const [index, usage] of (spec.usages ?? []).entries()) {
      if (!usages.includes(usage)) errors.notSupported(`spec.usages[${index}]`, usage, usages);
      if (seen.has(usage)) errors.duplicate(`spec.usages[${index}]`, usage);
      seen.add(usage);
    }
    validateDomainPath(spec.signerName, 'spec.signerName', errors);
    if (spec.expirationSeconds !== undefined && spec.expirationSeconds < leastSeconds) {
      errors.invalid(
        'spec.expirationSeconds',
        spec.expirationSeconds,
        `may not specify a duration less than ${leastSeconds} seconds (10 minutes)`,
      );
    }
    return errors;
  },
  columns: tableColumns<CertificateSigningRequest>([
    nameColumn,
    ageColumn,
    { name: 'SignerName', type: 'string', description: 'Who is to sign.', cell: ({ spec }) => spec.signerName || '<none>' },
    { name: 'Requestor', type: 'string', description: 'Who asked.', cell: ({ spec }) => spec.username ?? '' },
    {
      name: 'RequestedDuration',
      type: 'string',
      description: 'For how long.',
      cell: ({ spec }) => (spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000)),
    },
    { name: 'Condition', type: 'string', description: 'What became of it.', cell: conditionOf },
  ]),
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName },
});

function conditionOf({ status }: CertificateSigningRequest): string {
  const types = new Set((status?.conditions ?? []).map(({ type }) => type));
  const words = types.has('Denied') ? ['Denied'] : types.has('Approved') ? ['Approved'] : ['Pending'];
  if (types.has('Failed')) words.push('Failed');
  if ((status?.certificate ?? '') !== '') words.push('Issued');
  return words.join(',');
}

/** The request is base64 of PEM. */
function faultOfRequest(request: string): string | undefined {
  const pem = Buffer.from(request ?? '', 'base64').toString('latin1');
  const begin = /-----BEGIN ([A-Z ]{1,64})-----\s/.exec(pem);
  if (begin === null || !pem.includes(`-----END ${begin[1]}-----`)) return 'PEM block type must be CERTIFICATE REQUEST';
  return begin[1] === 'CERTIFICATE REQUEST' ? undefined : 'PEM block type must be CERTIFICATE REQUEST';
}
