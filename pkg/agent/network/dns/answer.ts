/**
 * Answers one question from the zone, by Kubernetes' DNS specification, after the names of the networks of the pod that asks. Pure, and it
 * never waits: what is not the cluster's is `forward`.
 */
import { isIPv4 } from 'node:net';
import type { Answer } from 'dns-packet';
import type { ServiceRecords, Zone } from './zone.ts';

export type Reply =
  | { readonly kind: 'forward' }
  | {
      readonly kind: 'answer';
      readonly code: 'NOERROR' | 'NXDOMAIN';
      readonly answers: readonly Answer[];
      readonly additionals: readonly Answer[];
    }
  /** The name is another's, which has to be looked up as well. */
  | { readonly kind: 'alias'; readonly answers: readonly Answer[]; readonly target: string };

export interface Question {
  readonly name: string;
  readonly type: string;
}

/** Seconds; short, because endpoints come and go. */
export const timeToLive = 5;

const forward: Reply = { kind: 'forward' };
const noSuchName: Reply = { kind: 'answer', code: 'NXDOMAIN', answers: [], additionals: [] };

/** `owns` tells whether an address is of the cluster's ranges, whose reverse names nobody else knows. */
export function answer(question: Question, client: string, zone: Zone, owns: (address: string) => boolean): Reply {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const inNetworks = networkAddresses(name, client, zone);
  if (inNetworks !== undefined) return addressReply(question, inNetworks);
  if (name === zone.domain || name.endsWith(`.${zone.domain}`)) {
    const labels = name === zone.domain ? [] : name.slice(0, -zone.domain.length - 1).split('.');
    return clusterReply(question, labels, zone);
  }
  if (name.endsWith('.in-addr.arpa')) return reverseReply(question, name, zone, owns);
  return forward;
}

/** Undefined: no network of the pod knows the name. */
function networkAddresses(name: string, client: string, zone: Zone): readonly string[] | undefined {
  const found = (zone.networksOfPod.get(client) ?? []).flatMap((network) => {
    const addresses = zone.networks.get(network)?.get(name);
    return addresses === undefined ? [] : [addresses];
  });
  return found.length === 0 ? undefined : [...new Set(found.flat())];
}

/** `labels` are those before the cluster's domain. */
function clusterReply(question: Question, labels: readonly string[], zone: Zone): Reply {
  const kind = labels.at(-1);
  if (labels.length === 0) return empty();
  if (kind === 'dns-version' && labels.length === 1) {
    return question.type === 'TXT' ? found([{ ...head(question, 'TXT'), data: '1.1.0' } as Answer]) : empty();
  }
  if (kind === 'pod') return podReply(question, labels.slice(0, -1), zone);
  if (kind !== 'svc') return noSuchName;
  if (labels.length === 1) return empty();
  const namespace = labels.at(-2) ?? '';
  if (labels.length === 2) return zone.namespaces.has(namespace) ? empty() : noSuchName;
  const service = zone.services.get(`${labels.at(-3) ?? ''}.${namespace}`);
  if (service === undefined) return noSuchName;
  const below = labels.slice(0, -3);
  if (service.alias !== undefined) return below.length === 0 ? aliasReply(question, service.alias) : noSuchName;
  if (below.length === 0)
    return question.type === 'SRV' ? serviceReply(question, service, service.ports, zone) : addressReply(question, service.addresses);
  const [first = '', second = ''] = below;
  if (below.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    const ports = service.ports.filter((port) => `_${port.name}` === first && `_${port.protocol}` === second);
    return ports.length === 0 ? noSuchName : serviceReply(question, service, ports, zone);
  }
  const host = below.length === 1 ? service.hosts.get(first) : undefined;
  return host === undefined ? noSuchName : addressReply(question, host);
}

/** `10-42-0-5.namespace.pod`: the address is in the name. */
function podReply(question: Question, labels: readonly string[], zone: Zone): Reply {
  if (labels.length < 2) return labels.length === 0 || zone.namespaces.has(labels[0] ?? '') ? empty() : noSuchName;
  const address = (labels[0] ?? '').replaceAll('-', '.');
  return labels.length === 2 && isIPv4(address) ? addressReply(question, [address]) : noSuchName;
}

function addressReply(question: Question, addresses: readonly string[]): Reply {
  if (question.type !== 'A' && question.type !== 'ANY') return empty();
  return found(addresses.map((address) => ({ ...head(question, 'A'), data: address }) as Answer));
}

function aliasReply(question: Question, target: string): Reply {
  return { kind: 'alias', target, answers: [{ ...head(question, 'CNAME'), data: target } as Answer] };
}

function serviceReply(question: Question, service: ServiceRecords, ports: ServiceRecords['ports'], zone: Zone): Reply {
  if (question.type !== 'SRV' && question.type !== 'ANY') return empty();
  const own = `${service.name}.svc.${zone.domain}`;
  const targetOf = (host: string): string => (host === '' ? own : `${host}.${own}`);
  const weight = Math.max(1, Math.floor(100 / Math.max(1, ports.length)));
  const answers = ports.map(
    ({ port, host }) => ({ ...head(question, 'SRV'), data: { priority: 0, weight, port, target: targetOf(host) } }) as Answer,
  );
  const additionals = [...new Set(ports.map(({ host }) => host))].flatMap((host) =>
    (host === '' ? service.addresses : (service.hosts.get(host) ?? [])).map(
      (address): Answer => ({ type: 'A', class: 'IN', ttl: timeToLive, name: targetOf(host), data: address }),
    ),
  );
  return { ...found(answers), additionals };
}

function reverseReply(question: Question, name: string, zone: Zone, owns: (address: string) => boolean): Reply {
  const address = name.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.');
  if (!isIPv4(address)) return forward;
  const names = zone.reverse.get(address);
  if (names === undefined) return owns(address) ? noSuchName : forward;
  return question.type === 'PTR' ? found(names.map((target) => ({ ...head(question, 'PTR'), data: target }) as Answer)) : empty();
}

function head(question: Question, type: string): { name: string; type: string; class: 'IN'; ttl: number } {
  return { name: question.name, type, class: 'IN', ttl: timeToLive };
}

function found(answers: readonly Answer[]): Extract<Reply, { kind: 'answer' }> {
  return { kind: 'answer', code: 'NOERROR', answers, additionals: [] };
}

function empty(): Reply {
  return found([]);
}
