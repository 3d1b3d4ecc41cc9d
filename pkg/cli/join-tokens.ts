/** Join tokens: Kubernetes' bootstrap tokens (Secrets in kube-system), shown with the hash of the cluster's authority. */
import { networkInterfaces } from 'node:os';
import { secrets } from '#api/shapes/resources';
import { type Clock, formatTime } from '#base/clock';
import { authorityHash, formatJoinToken, generateTokenParts } from '#rpc/join-token';
import { type Connection, type GlobalFlags, withConnection } from './connection.ts';
import { parseSeconds } from './durations.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface TokenFlags {
  readonly ttl: string;
  readonly description?: string;
  readonly quiet?: boolean;
}

/** `berth token create`. */
export async function createToken(context: VerbContext, globals: GlobalFlags, flags: TokenFlags): Promise<number> {
  const lifetimeSeconds = Math.round(parseSeconds('--ttl', flags.ttl));
  if (lifetimeSeconds < 1) throw new UsageError('--ttl is at least a second');
  return await withConnection(context, globals, async (connection) => {
    const text = await createJoinToken(connection, context.clock, {
      lifetimeSeconds,
      ...(flags.description === undefined ? {} : { description: flags.description }),
    });
    const host = reachableHost(new URL(connection.options.server).hostname);
    context.stdout.write(
      flags.quiet
        ? `${text}\n`
        : `${text}\n\nOn the machine that is to join:\n  berth agent --server ${host}:6444 --token-file FILE-WITH-THE-TOKEN\n` +
            '(6444 unless the server was given another --agent-port)\n',
    );
    return exitCodes.ok;
  });
}

/** An address for other machines, where the server is reached by one that only this machine has. */
function reachableHost(hostname: string): string {
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return hostname;
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !name.startsWith('cni-'))
    .flatMap(([, addresses]) => addresses ?? []);
  return own.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? hostname;
}

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
