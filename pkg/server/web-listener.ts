/**
 * A second listener, on the loopback alone and without TLS, for what people and scrapers of this machine open: a page that says what runs
 * here, the metrics, health. It shows no object and takes no change. Its port being taken is told, and no reason for a server not to run.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import type { Registry } from 'prom-client';
import { codeOf, messageOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';

export interface WebListenerOptions {
  readonly port: number;
  readonly registry: Registry;
  /** Whether the server can serve; throws where it cannot. */
  readonly ready: () => Promise<void>;
  /** Of the API port, and of the package. */
  readonly url: string;
  readonly version: string;
  readonly log: Logger;
}

/** Told where it listens, once it does. */
export function createWebListener(options: WebListenerOptions, onListening?: (port: number) => void): Runnable {
  return {
    name: 'web listener',
    run: async (signal) => {
      const server = createServer(await createApp(options));
      try {
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject);
          server.listen(options.port, '127.0.0.1', resolve);
        });
        onListening?.((server.address() as AddressInfo).port);
        await aborted(signal);
      } catch (error) {
        if (codeOf(error) !== 'EADDRINUSE') throw error;
        options.log.warn('metrics without a certificate are not served: the port is taken', { port: options.port });
        await aborted(signal);
      } finally {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

async function createApp({ registry, ready, url, version }: WebListenerOptions): Promise<Express> {
  const { default: express } = await import('express');
  const app = express();
  app.disable('x-powered-by');
  // A page of another site must not read this one through a name that leads to 127.0.0.1.
  app.use((request, response, next) => {
    const host = request.hostname;
    if (host === 'localhost' || host === '127.0.0.1') next();
    else response.status(403).type('text').send('open this as http://127.0.0.1\n');
  });
  app.get('/metrics', async (_, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });
  app.get(['/healthz', '/readyz'], async (_, response) => {
    try {
      await ready();
      response.type('text').send('ok');
    } catch (error) {
      response
        .status(500)
        .type('text')
        .send(`${messageOf(error)}\n`);
    }
  });
  app.get('/', (_, response) => {
    response.type('html').send(page(url, version));
  });
  return app;
}

function page(url: string, version: string): string {
  const safe = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Berth</title>
<h1>Berth ${safe(version)}</h1>
<p>The Kubernetes API is at <code>${safe(url)}</code>; its kubeconfig is <code>$BERTH_HOME/kubeconfig</code>.</p>
<ul>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/readyz">Ready?</a></li>
</ul>
</html>
`;
}
