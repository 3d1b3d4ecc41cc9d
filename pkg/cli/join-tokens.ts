/** Join tokens: Kubernetes' bootstrap tokens (Secrets in kube-system), shown with the hash of the cluster's authority. */
import { secrets } from '#api/shapes/resources';
import { type Clock, formatTime } from '#base/clock';
import { authorityHash, formatJoinToken, generateTokenParts } from '#rpc/join-token';
import type { Connection } from './connection.ts';
import { UsageError } from './verb.ts';

/** Makes a token that ends after `lifetimeSeconds` and gives the text that `berth agent --token` takes. */
export async function createJoinToken(
  connection: Connection,
  clock: Clock,
  options: { readonly lifetimeSeconds: number; readonly description?: string },
): Promise<string> {
  const authority = connection.options.certificateAuthority;
  if (authority === undefined)
    throw new UsageError(
      "the kubeconfig in use does not hold the cluster's certificate authority",
      'Use the admin kubeconfig, $BERTH_HOME/kubeconfig.',
    );
  const { id, secret } = generateTokenParts();
  await connection.client.create(secrets, {
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': id,
      'token-secret': secret,
      expiration: formatTime(clock.now() + options.lifetimeSeconds * 1000),
      'usage-bootstrap-authentication': 'true',
      'usage-bootstrap-signing': 'true',
      ...(options.description === undefined ? {} : { description: options.description }),
    },
  });
  return formatJoinToken({ id, secret, authorityHash: authorityHash(authority) });
}
