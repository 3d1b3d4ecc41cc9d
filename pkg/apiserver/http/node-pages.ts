/** `nodes/NAME/proxy/PATH`: the agent's own pages (its metrics, figures of its containers), by which dashboards scrape a node that listens nowhere. */
import { buffer } from 'node:stream/consumers';
import type { NodeConnector } from '#client/node-connector';
import { type Authorizer, mustBeAllowed } from '../authorization/authorizer.ts';
import type { UserInfo } from '../request-context.ts';
import type { Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';
import { sendBytes } from './reply.ts';

/** Prometheus' text exposition format. */
const pageType = 'text/plain; version=0.0.4; charset=utf-8';

/** Whether a path names a page of a node. */
export function isNodePage({ group, version, plural, name, subresource }: ResourcePath): boolean {
  return group === '' && version === 'v1' && plural === 'nodes' && name !== undefined && subresource === 'proxy';
}

export class NodePages {
  readonly #connector: NodeConnector;
  readonly #authorizers: readonly Authorizer[];

  constructor(connector: NodeConnector, authorizers: readonly Authorizer[]) {
    this.#connector = connector;
    this.#authorizers = authorizers;
  }

  /** Throws `NotFound` for a page that the agent does not have, `ServiceUnavailable` for a node that is not connected. */
  async send(exchange: Exchange, user: UserInfo, { name = '', rest = '' }: ResourcePath): Promise<void> {
    await mustBeAllowed(this.#authorizers, { user, verb: 'get', group: '', version: 'v1', resource: 'nodes', subresource: 'proxy', name });
    const page = await buffer(await this.#connector.connect(name, { type: 'agentHttp', path: `/${rest}` }, exchange.signal));
    await sendBytes(exchange.response, 200, pageType, page, { gzip: exchange.acceptsGzip });
  }
}
