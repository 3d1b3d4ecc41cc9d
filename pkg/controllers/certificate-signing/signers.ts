/** The signers that Berth is, by Kubernetes' rules for each: which uses and names a certificate of theirs may have. Pure. */
import type { SigningRequest } from '#api/signing-request';

/** What is wrong with a request; undefined: it may be signed. */
type Check = (request: SigningRequest, usages: readonly string[]) => string | undefined;

const nodesOrganization = 'system:nodes';
const nodeUserPrefix = 'system:node:';

const usageCheck = (must: readonly string[], may: readonly string[]): Check => {
  return (_, usages) => {
    const missing = must.filter((usage) => !usages.includes(usage));
    const extra = usages.filter((usage) => !must.includes(usage) && !may.includes(usage));
    if (missing.length === 0 && extra.length === 0) return undefined;
    const optional = may.length === 0 ? '' : `, and may be ${may.join(', ')}`;
    return `usages are [${usages.join(', ')}] and must be ${must.join(', ')}${optional}`;
  };
};

const ofNode: Check = ({ commonName, organizations }) => {
  if (organizations.length !== 1 || organizations[0] !== nodesOrganization)
    return `the subject's organization must be ${nodesOrganization} alone`;
  return commonName.startsWith(nodeUserPrefix) ? undefined : `the subject's common name must begin with ${nodeUserPrefix}`;
};

const signers: Readonly<Record<string, readonly Check[]>> = {
  'kubernetes.io/kube-apiserver-client': [usageCheck(['client auth'], ['digital signature', 'key encipherment'])],
  'kubernetes.io/kube-apiserver-client-kubelet': [
    usageCheck(['digital signature', 'client auth'], ['key encipherment']),
    ofNode,
    ({ dnsNames, addresses, emails, uris }) =>
      dnsNames.length + addresses.length + emails.length + uris.length === 0 ? undefined : 'alternative names are not allowed',
  ],
  'kubernetes.io/kubelet-serving': [
    usageCheck(['digital signature', 'server auth'], ['key encipherment']),
    ofNode,
    ({ dnsNames, addresses, emails, uris }) => {
      if (emails.length + uris.length > 0) return 'alternative names may be DNS names and addresses alone';
      return dnsNames.length + addresses.length > 0 ? undefined : 'a DNS name or an address is needed';
    },
  ],
};

/** Whether requests to this signer are for Berth to sign. */
export function isKnownSigner(name: string): boolean {
  return Object.hasOwn(signers, name);
}

export function faultFor(signerName: string, request: SigningRequest, usages: readonly string[]): string | undefined {
  for (const check of signers[signerName] ?? []) {
    const fault = check(request, usages);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
