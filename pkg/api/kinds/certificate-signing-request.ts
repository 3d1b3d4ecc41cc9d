import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { humanDuration } from '../human-duration.ts';
import type { Subresource } from '../kind.ts';
import { checkPathSegment } from '../names.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../shapes/types/certificates-v1.ts';
import { validateSignerName } from '../signer-name.ts';
import { keepStatus, statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const self = { group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest' };
const typeName = 'certificates.v1.CertificateSigningRequest';
const leastSeconds = 600;
const legacySigner = 'kubernetes.io/legacy-unknown';
/** Conditions that are true or not there, and that stay. */
const decisions = ['Approved', 'Denied', 'Failed'];
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
    const decided = ((body as CertificateSigningRequest).status?.conditions ?? []).filter(isDecision);
    const others = (old.status?.conditions ?? []).filter((condition) => !isDecision(condition));
    const conditions = [...others, ...decided];
    return { ...old, status: { ...old.status, ...(conditions.length === 0 ? {} : { conditions }) } };
  },
  validate: (object, old) => validateStatusChange(object, old, 'approval'),
};

export const certificateSigningRequest = defineKind<CertificateSigningRequest>({
  group: self.group,
  kind: self.kind,
  description: 'Asks for a certificate.',
  support: 'acted on',
  supportNote:
    "signed once approved, for Kubernetes' signers kube-apiserver-client, kube-apiserver-client-kubelet and kubelet-serving; agents get theirs by enrolling",
  nameRule: checkPathSegment,
  subresources: [
    {
      ...statusSubresource<CertificateSigningRequest>(self, typeName),
      validate: (object, old) => validateStatusChange(object, old, 'status'),
    },
    approval,
  ],
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
    if ((spec.usages ?? []).length === 0) errors.required('spec.usages');
    for (const [index, usage] of (spec.usages ?? []).entries()) {
      if (!usages.includes(usage)) errors.notSupported(`spec.usages[${index}]`, usage, usages);
    }
    const seen = new Set<string>();
    for (const [index, usage] of (spec.usages ?? []).entries()) {
      if (seen.has(usage)) errors.duplicate(`spec.usages[${index}]`, usage);
      seen.add(usage);
    }
    if (spec.signerName === legacySigner) {
      errors.invalid('spec.signerName', spec.signerName, 'the legacy signerName is not allowed via this API version');
    } else validateSignerName(spec.signerName, 'spec.signerName', errors);
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

/** Through `approval` requests are decided, through `status` they get their certificate; what was decided or given stays. */
function validateStatusChange(
  { status }: CertificateSigningRequest,
  { status: old }: CertificateSigningRequest,
  through: 'approval' | 'status',
): FieldErrors {
  const errors = new FieldErrors();
  const path = 'status.conditions';
  const conditions = status?.conditions ?? [];
  validateConditions(conditions, path, errors);
  const of = (type: string, list: readonly CertificateSigningRequestCondition[] = []): readonly CertificateSigningRequestCondition[] =>
    list.filter((each) => each.type === type);
  for (const type of decisions) {
    if (of(type, conditions).length < of(type, old?.conditions).length) {
      errors.forbidden(path, `updates may not remove a condition of type ${JSON.stringify(type)}`);
    }
  }
  if (through === 'approval') return errors;
  for (const type of ['Approved', 'Denied']) {
    const [now, before] = [of(type, conditions), of(type, old?.conditions)];
    if (now.length > before.length) errors.forbidden(path, `updates may not add a condition of type ${JSON.stringify(type)}`);
    else if (now.length === before.length && !deepEqual(now, before)) {
      errors.forbidden(path, `updates may not modify a condition of type ${JSON.stringify(type)}`);
    }
  }
  if ((old?.certificate ?? '') !== '' && status?.certificate !== old?.certificate) {
    errors.forbidden('status.certificate', 'updates may not modify existing certificate content');
  }
  return errors;
}

function validateConditions(conditions: readonly CertificateSigningRequestCondition[], path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [index, { type, status = '' }] of conditions.entries()) {
    const at = `${path}[${index}]`;
    if (type === '') errors.required(`${at}.type`);
    const allowed = decisions.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (status === '') errors.required(`${at}.status`);
    else if (!allowed.includes(status)) errors.notSupported(`${at}.status`, status, allowed);
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (opposite !== undefined && seen.has(opposite)) {
      errors.invalid(path, type, 'Approved and Denied conditions are mutually exclusive');
    }
    if (seen.has(type)) errors.duplicate(`${at}.type`, type);
    seen.add(type);
  }
}

/** The request is base64 of PEM. */
function faultOfRequest(request: string): string | undefined {
  const pem = Buffer.from(request ?? '', 'base64').toString('latin1');
  const begin = /-----BEGIN ([A-Z ]{1,64})-----\s/.exec(pem);
  if (begin === null || !pem.includes(`-----END ${begin[1]}-----`)) return 'PEM block type must be CERTIFICATE REQUEST';
  return begin[1] === 'CERTIFICATE REQUEST' ? undefined : 'PEM block type must be CERTIFICATE REQUEST';
}
