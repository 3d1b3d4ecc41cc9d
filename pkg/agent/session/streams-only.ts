/**
 * Connections for streams alone with every server but the session's: so logs, exec and the like work whichever server is asked. One that breaks is dialled
 * again; nothing on the node waits for any of them.
 */
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import { AgentClient, type OpenStream, type ServerMessage } from '#rpc/generated/agent';
import { channelCredentials, channelOptions, type NodeCredentials } from './credentials.ts';
import type { KnownServers } from './servers.ts';
import { protocolVersion } from './session.ts';

export interface StreamsOnlyOptions {
  readonly servers: KnownServers;
  readonly nodeName: string;
  readonly version: string;
  readonly instance: string;
  /** As they are now: they are renewed while this runs. */
  readonly credentials: () => Promise<NodeCredentials | undefined>;
  readonly onStream: (request: OpenStream, client: AgentClient) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const reconnect = { initial: 200, maximum: 10_000, jitter: 0.5 };

export function createStreamsOnly(options: StreamsOnlyOptions): Runnable {
  return {
    name: 'streams',
    async run(signal) {
      const running = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
      const follow = (): void => {
        if (signal.aborted) return;
        const wanted = new Set(options.servers.others);
        for (const [server, { stop }] of running) {
          if (wanted.has(server)) continue;
          stop.abort();
          running.delete(server);
        }
        for (const server of wanted) {
          if (running.has(server)) continue;
          const stop = new AbortController();
          running.set(server, { stop, done: keep(options, server, AbortSignal.any([signal, stop.signal])) });
        }
      };
      options.servers.onChange(follow);
      await aborted(signal);
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

async function keep(options: StreamsOnlyOptions, server: string, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      await connection(options, server, signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (!signal.aborted) options.log.debug('no connection for streams', { server, error: messageOf(error) });
    }
    if (!signal.aborted) await options.clock.sleep(backoffDelay(reconnect, failures), signal).catch(() => undefined);
  }
}

/** One connection, until it ends. Throws when it breaks. */
async function connection(options: StreamsOnlyOptions, server: string, signal: AbortSignal, heard: () => void): Promise<void> {
  const credentials = await options.credentials();
  if (credentials === undefined || signal.aborted) return;
  const { nodeName, version, instance } = options;
  const client = new AgentClient(server, channelCredentials(credentials), channelOptions);
  try {
    await new Promise<void>((resolve, reject) => {
      const call = client.connect();
      const stop = (): void => call.cancel();
      signal.addEventListener('abort', stop, { once: true });
      const end = (settle: () => void): void => {
        signal.removeEventListener('abort', stop);
        settle();
      };
      call.on('data', ({ message }: ServerMessage) => {
        heard();
        if (message?.$case === 'openStream') options.onStream(message.value, client);
      });
      call.on('error', (error) => end(() => reject(error)));
      call.on('end', () => end(resolve));
      const hello = {
        protocolVersion,
        agentVersion: version,
        nodeName,
        agentInstance: instance,
        incarnation: '',
        revision: 0n,
        node: Buffer.alloc(0),
        era: '',
        streamsOnly: true,
      };
      call.write({ message: { $case: 'hello', value: hello } });
      if (signal.aborted) stop();
    });
  } finally {
    client.close();
  }
}
