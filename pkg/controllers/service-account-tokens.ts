/**
 * Fills secrets that ask for the token of a service account (type `kubernetes.io/service-account-token`), for clients that cannot renew one: it ends with the
 * secret or the account, and not before. A secret of an account that is not there is removed, as Kubernetes does.
 */
import { secrets, serviceAccounts } from '#api/shapes/resources';
import type { TokenRequest } from '#api/shapes/types/authentication-v1';
import type { Secret } from '#api/shapes/types/core-v1';
import { hasReason } from '#base/errors';
import { keyOf } from '#client/informer';
import { type Controller, type ControllerEnvironment, defineController, mapped, type ReconcileContext } from './controller.ts';

const tokenType = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';
/** The longest that a token can be asked for: 136 years. */
const expirationSeconds = 2 ** 32;

const indexName = 'token-account';

/** The key of the account whose token the secret is to hold, if it is to hold one. */
function accountsOf({ type, metadata }: Secret): string[] {
  const name = metadata.annotations?.[nameAnnotation];
  return type === tokenType && name !== undefined ? [`${metadata.namespace ?? ''}/${name}`] : [];
}

/** Has a definition of its own for each environment: the certificate is the cluster's. */
export const serviceAccountTokens: Controller = {
  name: 'service-account-tokens',
  create: (environment: ControllerEnvironment) => {
    const controller = defineController({
      name: 'service-account-tokens',
      watches: () => [
        mapped(secrets, (secret) => (accountsOf(secret).length === 0 ? [] : [keyOf(secret)])),
        mapped(
          serviceAccounts,
          (account, informers) => informers.for(secrets).byIndex(indexName, keyOf(account)).map(keyOf),
          // What matters of an account is that it is there.
          ({ metadata }) => metadata.uid,
        ),
      ],
      indexes: (informers) => informers.for(secrets).addIndex(indexName, accountsOf),
      reconcile: async (key, context) => {
        const secret = context.store(secrets).get(key);
        if (secret !== undefined && accountsOf(secret).length > 0 && secret.metadata.deletionTimestamp === undefined)
          await fill(secret, environment.certificateAuthority, context);
        return undefined;
      },
    });
    return controller.create(environment);
  },
};

async function fill(secret: Secret, certificateAuthority: string | undefined, { client }: ReconcileContext): Promise<void> {
  const { namespace = '', name = '', uid = '', annotations = {} } = secret.metadata;
  const target = { namespace, name: annotations[nameAnnotation] ?? '' };
  const account = await client.find(serviceAccounts, target);
  const known = annotations[uidAnnotation] ?? '';
  if (account === undefined || (known !== '' && known !== account.metadata.uid)) {
    await client.delete(secrets, { namespace, name }, { preconditions: { uid } }).catch((error: unknown) => {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    });
    return;
  }
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  const data: Record<string, string> = { ...secret.data, namespace: secret.data?.namespace ?? encode(namespace) };
  if (certificateAuthority !== undefined) data['ca.crt'] = encode(certificateAuthority);
  if ((data.token ?? '') === '') {
    const request = { spec: { expirationSeconds, boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name, uid } } };
    const { status } = (await client.createSubresource(serviceAccounts, target, 'token', request)) as TokenRequest;
    data.token = encode(status?.token ?? '');
  }
  await client.update(secrets, {
    ...secret,
    metadata: { ...secret.metadata, annotations: { ...annotations, [uidAnnotation]: account.metadata.uid ?? '' } },
    data,
  });
}
