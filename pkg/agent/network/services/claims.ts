/** Who gets which of the node's ports, where several ask for one: the first in order. Pure. */

import type { WantedPort } from '../host/port-holder.ts';
import type { Problem } from '../state.ts';
import type { ForwardedPort, NodePort } from './service-ports.ts';

export interface Claim {
  readonly owner: ForwardedPort['owner'];
  readonly port: ForwardedPort;
  readonly nodePort: NodePort;
  readonly wanted: WantedPort;
}

export const everyAddress = '0.0.0.0';

export function claimPorts(ports: readonly ForwardedPort[]): { readonly claims: readonly Claim[]; readonly problems: readonly Problem[] } {
  const claims: Claim[] = [];
  const problems: Problem[] = [];
  const byNumber = new Map<string, Claim[]>();
  for (const port of ports) {
    for (const nodePort of port.node) {
      const wanted = { protocol: port.protocol, address: nodePort.address ?? everyAddress, port: nodePort.port };
      const key = `${wanted.port}/${wanted.protocol}`;
      const others = byNumber.get(key) ?? [];
      const rival = others.find((other) => overlaps(other.wanted.address, wanted.address));
      if (rival !== undefined) {
        const { kind, namespace, name } = rival.owner;
        if (rival.port !== port)
          problems.push({ ...port.owner, ...pick(wanted), reason: `${kind} ${namespace}/${name} has the port on this node` });
        continue;
      }
      const claim = { owner: port.owner, port, nodePort, wanted };
      claims.push(claim);
      byNumber.set(key, [...others, claim]);
    }
  }
  return { claims, problems };
}

export function pick(wanted: WantedPort): Pick<Problem, 'protocol' | 'port'> {
  return { protocol: wanted.protocol, port: wanted.port };
}

function overlaps(a: string, b: string): boolean {
  return a === b || a === everyAddress || b === everyAddress;
}

/** The ports with only those of the node's that `open` says may be opened. */
export function withOpenPorts(ports: readonly ForwardedPort[], open: readonly Claim[]): ForwardedPort[] {
  const byPort = new Map<ForwardedPort, NodePort[]>();
  for (const { port, nodePort } of open) byPort.set(port, [...(byPort.get(port) ?? []), nodePort]);
  return ports.map((port) => (port.node.length === 0 ? port : { ...port, node: byPort.get(port) ?? [] }));
}
