import type { Client } from '#client/client';
import { describeClient } from '#client/client.suite';
import { createHttpTransport, type HttpTransport } from '#client/http-transport';
import type { ConnectionOptions } from '#client/kubeconfig';
import type { Transport } from '#client/transport';
import { createClient } from '#client/typed-client';
import { startCluster } from '#server/testing';

describeClient('a client over HTTPS', async () => {
  const cluster = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false } });
  const transports: Promise<HttpTransport>[] = [];
  const open = (connection: ConnectionOptions | Promise<ConnectionOptions>): Client => {
    const transport = Promise.resolve(connection).then((options) => createHttpTransport(options));
    transports.push(transport);
    const later: Transport = {
      send: async (request, signal) => (await transport).send(request, signal),
      watch: async function* (request, signal) {
        yield* (await transport).watch(request, signal);
      },
    };
    return createClient(later);
  };
  return {
    client: (user) => open(user === undefined ? cluster.connection : cluster.server.connectionFor(user.name, user.groups)),
    stop: async () => {
      await Promise.all(transports.map(async (transport) => (await transport).close()));
      await cluster.stop();
    },
  };
});
