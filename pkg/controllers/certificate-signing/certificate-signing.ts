/**
 * Signs the certificates that were asked for and approved, for the signers that Berth is (signers.ts), and forgets requests that are over: an hour after they
 * were decided, a day after nobody did. Whoever approves decides; nothing is approved here.
 */
import { certificateSigningRequests } from '#api/shapes/resources';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '#api/shapes/types/certificates-v1';
import { parseSigningRequest } from '#api/signing-request';
import { formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { type Controller, type ControllerEnvironment, defineController, type Outcome, own, type ReconcileContext } from '../controller.ts';
import { faultFor, isKnownSigner } from './signers.ts';

const hour = 3_600_000;
const keptDecided = hour;
const keptPending = 24 * hour;

type Sign = NonNullable<ControllerEnvironment['signCertificate']>;

/** Has a definition of its own for each environment: the key is the cluster's. */
export const certificateSigning: Controller = {
  name: 'certificate-signing',
  create: (environment: ControllerEnvironment) => {
    const { signCertificate } = environment;
    const controller = defineController({
      name: 'certificate-signing',
      watches: () => [own(certificateSigningRequests)],
      reconcile: async (key, context) => {
        const request = context.store(certificateSigningRequests).get(key);
        if (request === undefined) return undefined;
        if (signCertificate !== undefined && isToBeSigned(request)) {
          await answer(request, signCertificate, context);
          return undefined;
        }
        return await forget(request, context);
      },
    });
    return controller.create(environment);
  },
};

function isToBeSigned({ spec, status }: CertificateSigningRequest): boolean {
  const types = (status?.conditions ?? []).map(({ type }) => type);
  const isOpen = (status?.certificate ?? '') === '' && !types.includes('Denied') && !types.includes('Failed');
  return isOpen && types.includes('Approved') && isKnownSigner(spec.signerName);
}

async function answer(request: CertificateSigningRequest, sign: Sign, { client, clock }: ReconcileContext): Promise<void> {
  const { spec, status } = request;
  const pem = Buffer.from(spec.request, 'base64').toString('latin1');
  const usages = spec.usages ?? [];
  const parsed = parseSigningRequest(pem);
  let fault = parsed === undefined ? 'the request cannot be read: make a new one' : faultFor(spec.signerName, parsed, usages);
  let certificate = '';
  if (fault === undefined) {
    try {
      certificate = await sign(pem, { usages, ...(spec.expirationSeconds === undefined ? {} : { seconds: spec.expirationSeconds }) });
    } catch (error) {
      if (!hasReason(error, 'BadRequest')) throw error;
      fault = messageOf(error);
    }
  }
  const now = formatTime(clock.now());
  const failed: CertificateSigningRequestCondition = {
    type: 'Failed',
    status: 'True',
    reason: 'SignerValidationFailure',
    message: fault ?? '',
    lastUpdateTime: now,
    lastTransitionTime: now,
  };
  await client.updateStatus(certificateSigningRequests, {
    ...request,
    status:
      fault === undefined
        ? { ...status, certificate: Buffer.from(certificate).toString('base64') }
        : { ...status, conditions: [...(status?.conditions ?? []), failed] },
  });
}

async function forget({ metadata, status }: CertificateSigningRequest, { client, clock }: ReconcileContext): Promise<Outcome> {
  const conditions = status?.conditions ?? [];
  const last = Math.max(
    ...[metadata.creationTimestamp, ...conditions.map((each) => each.lastUpdateTime)].map((time) => Date.parse(time ?? '') || 0),
  );
  const left = last + (conditions.length === 0 ? keptPending : keptDecided) - clock.now();
  if (left > 0) return { after: left };
  const { name = '', resourceVersion = '' } = metadata;
  try {
    await client.delete(certificateSigningRequests, { name }, { preconditions: { resourceVersion } });
  } catch (error) {
    // Changed meanwhile, it comes back with that change.
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
  return undefined;
}
