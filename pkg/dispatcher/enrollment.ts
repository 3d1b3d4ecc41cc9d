/** Lets nodes in: a join token and a signing request for a certificate; and renews certificates for keys that it knows. */
import { timingSafeEqual } from 'node:crypto';
import { secrets } from '#api/shapes/resources';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { EnrollRequest, EnrollResponse, RenewRequest } from '#rpc/generated/agent';
import { keyFingerprint } from '#rpc/join-token';
import { provenPublicKey } from '#rpc/signing-request';
import type { NodeObjects } from './nodes.ts';
import type { NodeIdentity } from './transport-security.ts';

/** Signs node certificates; the cluster's authority does. */
export interface NodeCertificateAuthority {
  readonly certificatePem: string;
  /** A certificate for CN `system:node:NAME`, O `system:nodes`. */
  issueNodeCertificate(signingRequestPem: string, nodeName: string): Promise<string>;
}

export interface Enrollment {
  /** Throws `StatusError`: `Unauthorized` (token), `AlreadyExists` (name), `BadRequest`. */
  enroll(request: EnrollRequest): Promise<EnrollResponse>;
  /** `caller`: the node by its certificate, if that is still valid. */
  renew(request: RenewRequest, caller: NodeIdentity | undefined): Promise<EnrollResponse>;
}

export interface EnrollmentOptions {
  readonly client: Client;
  readonly authority: NodeCertificateAuthority;
  readonly nodes: NodeObjects;
  readonly clusterId: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const nodeNameForm = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export function createEnrollment(options: EnrollmentOptions): Enrollment {
  const { client, authority, nodes, clusterId, clock, log } = options;

  const checkToken = async (token: string): Promise<void> => {
    const refuse = (why: string): never => {
      throw new StatusError('Unauthorized', `${why}: make a new one with "berth token create" on the server`);
    };
    const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
    if (id === undefined || secret === undefined) return refuse('the join token has not the form of one');
    const stored = await client.find(secrets, { namespace: 'kube-system', name: `bootstrap-token-${id}` });
    const value = (key: string): string => Buffer.from(stored?.data?.[key] ?? '', 'base64').toString('utf8');
    if (
      stored?.type !== 'bootstrap.kubernetes.io/token' ||
      value('usage-bootstrap-authentication') !== 'true' ||
      !equal(value('token-secret'), secret)
    ) {
      return refuse('the join token is not known');
    }
    const expiration = value('expiration');
    if (expiration !== '' && Date.parse(expiration) <= clock.now()) return refuse('the join token has expired');
  };

  const provenKey = (signingRequest: string): string => {
    const key = provenPublicKey(signingRequest);
    if (key === undefined) throw new StatusError('BadRequest', 'the signing request cannot be read, or is not signed by its own key');
    return keyFingerprint(key);
  };

  const issue = async (signingRequest: string, nodeName: string): Promise<EnrollResponse> => ({
    certificate: await authority.issueNodeCertificate(signingRequest, nodeName),
    certificateAuthority: authority.certificatePem,
    clusterId,
  });

  return {
    async enroll({ token, nodeName, signingRequest }) {
      await checkToken(token);
      if (!nodeNameForm.test(nodeName) || nodeName.length > 253) {
        throw new StatusError('BadRequest', `"${nodeName}" cannot name a node: use lower-case letters, digits, "-" and "."`);
      }
      await nodes.claim(nodeName, provenKey(signingRequest));
      const response = await issue(signingRequest, nodeName);
      log.info('a node has joined', { node: nodeName });
      return response;
    },

    async renew({ signingRequest, nodeName }, caller) {
      const name = caller?.nodeName ?? nodeName;
      const fingerprint = provenKey(signingRequest);
      const owner = await nodes.owner(name);
      // A certificate for a key that only its node has is of no use to anyone else, so an old request replayed does no harm.
      if (owner !== fingerprint) {
        throw new StatusError(
          'Unauthorized',
          `node "${name}" is not known with this key: join it anew with a token ("berth token create" on the server)`,
        );
      }
      return issue(signingRequest, name);
    },
  };
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
