/** One way to ask a container how it is. */
import type { Container, HTTPGetAction, Probe } from '#api/shapes/types/core-v1';
import type { Runtime } from '../runtime/runtime.ts';

export interface ProbeTarget {
  readonly runtime: Runtime;
  readonly container: Container;
  readonly containerId: string;
  /** The pod's own address (the node's, on the host's network); empty where there is none. */
  readonly address: string;
}

export interface ProbeResult {
  readonly success: boolean;
  /** Says why not, for the event. */
  readonly message: string;
}

export interface ProbeAction {
  /** The field of a probe that asks for it. */
  readonly name: 'exec' | 'httpGet' | 'tcpSocket' | 'grpc';
  /**
   * Resolves within the timeout. Rejects only when the container could not be asked, because the runtime does not answer: that says nothing of
   * the container.
   */
  run(probe: Probe, target: ProbeTarget, timeoutMilliseconds: number): Promise<ProbeResult>;
}

/** A port by number, or by its name among the container's. */
export function portOf(port: number | string, container: Container): number | undefined {
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  return container.ports?.find(({ name }) => name === port)?.containerPort;
}

export interface HttpTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Undefined when the port's name is not known. */
export function httpTargetOf(action: HTTPGetAction, target: ProbeTarget): HttpTarget | undefined {
  const port = portOf(action.port, target.container);
  if (port === undefined) return undefined;
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/berth', Accept: '*/*', Connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  const path = action.path ?? '/';
  return {
    host: action.host === undefined || action.host === '' ? target.address : action.host,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    tls: action.scheme === 'HTTPS',
    headers,
  };
}
