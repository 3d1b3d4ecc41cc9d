/**
 * What the kernel is told, as text for `nft`: verdict maps from address, protocol and port to one small chain a port, which picks an endpoint.
 * Pure. Invariant: the same state gives the same text, and the whole is swapped in one transaction, so that no packet meets half of it.
 */
import { hash } from 'node:crypto';
import type { ForwardedPort, Target } from './service-ports.ts';

export interface NetworkFacts {
  /** Name of the nft table, this agent's alone. */
  readonly table: string;
  readonly bridge: string;
  /** Pods of this node. */
  readonly podCidr: string;
  /** Pods of all nodes. */
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  /** The node's address for its pods. */
  readonly gateway: string;
  /** Frames between ports of the bridge pass the rules (`bridge-nf-call-iptables`); else their source must be changed to bring answers back. */
  readonly bridgeFiltered: boolean;
  /** Where the DNS server listens on the gateway's address. */
  readonly dnsPort: number;
}

/** One set or map of the table, and what is in it; the value of a set's element is empty. */
export interface RuleSet {
  /** Chains of forwarded ports, by name. */
  readonly chains: ReadonlyMap<string, string>;
  /** By name of the map or set, then by element. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

const tuple = 'ipv4_addr . inet_proto . inet_service';
const pair = 'inet_proto . inet_service';

const collections: readonly { readonly name: string; readonly kind: 'map' | 'set'; readonly type: string }[] = [
  { name: 'virtual', kind: 'map', type: `${tuple} : verdict` },
  { name: 'node', kind: 'map', type: `${pair} : verdict` },
  { name: 'node_address', kind: 'map', type: `${tuple} : verdict` },
  { name: 'refused_virtual', kind: 'set', type: tuple },
  { name: 'refused_node', kind: 'set', type: pair },
  { name: 'refused_node_address', kind: 'set', type: tuple },
  { name: 'hairpin', kind: 'set', type: 'ipv4_addr . ipv4_addr' },
];

/** Where two claim one port, the first has it. */
export function ruleSetOf(ports: readonly ForwardedPort[]): RuleSet {
  const chains = new Map<string, string>();
  const elements = new Map(collections.map(({ name }) => [name, new Map<string, string>()]));
  const add = (collection: string, element: string, value: string): void => {
    const known = elements.get(collection)!;
    if (!known.has(element)) known.set(element, value);
  };
  const forward = (collection: string, element: string, port: ForwardedPort, direction: 'internal' | 'external'): void => {
    const targets = port[direction];
    if (targets.length === 0) {
      add(`refused_${collection}`, element, '');
      return;
    }
    const ranges = direction === 'external' ? port.sourceRanges : [];
    const body = renderChain(port, targets, ranges);
    const chain = chainName(port, body);
    chains.set(chain, body);
    add(collection, element, `goto ${chain}`);
  };
  for (const port of ports) {
    for (const { address, port: number } of port.virtual) {
      forward(
        'virtual',
        `${address} . ${port.protocol} . ${number}`,
        port,
        port.externalAddresses.includes(address) ? 'external' : 'internal',
      );
    }
    for (const { address, port: number } of port.node) {
      if (address === undefined) forward('node', `${port.protocol} . ${number}`, port, 'external');
      else forward('node_address', `${address} . ${port.protocol} . ${number}`, port, 'external');
    }
    for (const { address } of [...port.internal, ...port.external]) add('hairpin', `${address} . ${address}`, '');
  }
  return { chains, elements };
}

/** Named by content as well: a port whose endpoints change gets a new chain, and the old one is never half rewritten. */
function chainName(port: ForwardedPort, body: string): string {
  return `p_${hash('sha256', `${port.id}\n${body}`).slice(0, 16)}`;
}

function renderChain(port: ForwardedPort, targets: readonly Target[], ranges: readonly string[]): string {
  const guard = ranges.length === 0 ? [] : [`ip saddr != { ${ranges.join(', ')} } drop`];
  return [...guard, `meta l4proto ${port.protocol} ${renderDnat(targets, port.affinity)}`].join('\n');
}

function renderDnat(targets: readonly Target[], affinity: boolean): string {
  const [first] = targets;
  if (targets.length === 1 && first !== undefined) return `dnat to ${first.address}:${first.port}`;
  // A client's address decides for as long as the endpoints stay the same.
  const choice = affinity ? `jhash ip saddr mod ${targets.length} seed 0x62657274` : `numgen random mod ${targets.length}`;
  const map = targets.map(({ address, port }, index) => `${index} : ${address} . ${port}`).join(', ');
  return `dnat ip addr . port to ${choice} map { ${map} }`;
}

/** The whole table, taking the place of the one that is there. */
export function renderRules(facts: NetworkFacts, rules: RuleSet): string {
  const { table } = facts;
  return [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    ...collections.map(({ name, kind, type }) => {
      const content = [...(rules.elements.get(name) ?? [])].map(([element, value]) => (value === '' ? element : `${element} : ${value}`));
      const elements = content.length === 0 ? '' : `; elements = { ${content.join(', ')} }`;
      return `${kind} ${name} { type ${type}${elements}; }`;
    }),
    ...[...rules.chains].map(([name, body]) => `chain ${name} {\n${body}\n}`),
    frame(facts),
    '}',
    '',
  ].join('\n');
}

/** What does not depend on services. */
function frame(facts: NetworkFacts): string {
  const { bridge, podCidr, clusterCidr, serviceCidr, gateway, dnsPort } = facts;
  const redirectDns =
    dnsPort === 53 ? [] : ['udp', 'tcp'].map((protocol) => `ip daddr ${gateway} ${protocol} dport 53 redirect to :${dnsPort}`);
  const answersReturn = facts.bridgeFiltered ? [] : [`ct status dnat ip saddr ${podCidr} oifname "${bridge}" masquerade`];
  return `
chain forwarded {
ip daddr . meta l4proto . th dport vmap @virtual
ip daddr . meta l4proto . th dport vmap @node_address
fib daddr type local meta l4proto . th dport vmap @node
}
chain prerouting {
type nat hook prerouting priority dstnat; policy accept;
${[...redirectDns, 'jump forwarded'].join('\n')}
}
chain output {
type nat hook output priority -100; policy accept;
${[...redirectDns, 'jump forwarded'].join('\n')}
}
chain postrouting {
type nat hook postrouting priority srcnat; policy accept;
ip saddr . ip daddr @hairpin masquerade
oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade
${answersReturn.join('\n')}
ip saddr ${podCidr} ip daddr != ${clusterCidr} oifname != "${bridge}" masquerade
ct status dnat ip saddr != ${clusterCidr} oifname != { "${bridge}", "lo" } masquerade
}
chain loopback_guard {
type filter hook prerouting priority raw; policy accept;
iifname "${bridge}" ip daddr 127.0.0.0/8 drop
}
chain refuse {
meta l4proto tcp reject with tcp reset
reject
}
chain refused {
ip daddr . meta l4proto . th dport @refused_virtual goto refuse
ip daddr . meta l4proto . th dport @refused_node_address goto refuse
fib daddr type local meta l4proto . th dport @refused_node goto refuse
ip daddr ${serviceCidr} goto refuse
}
chain refuse_input {
type filter hook input priority filter; policy accept;
ct state new jump refused
}
chain refuse_forward {
type filter hook forward priority filter; policy accept;
ct state new jump refused
}
chain refuse_output {
type filter hook output priority filter; policy accept;
ct state new jump refused
}`;
}

/** What turns one into the other, or undefined when nothing differs. Chains are named by content, so none is ever changed in place. */
export function renderChange(facts: NetworkFacts, before: RuleSet, after: RuleSet): string | undefined {
  const { table } = facts;
  const lines: string[] = [];
  for (const [chain, body] of after.chains) {
    if (!before.chains.has(chain))
      lines.push(`add chain ip ${table} ${chain}`, ...body.split('\n').map((rule) => `add rule ip ${table} ${chain} ${rule}`));
  }
  for (const { name } of collections) {
    const old = before.elements.get(name) ?? new Map<string, string>();
    const fresh = after.elements.get(name) ?? new Map<string, string>();
    const gone = [...old].filter(([element, value]) => fresh.get(element) !== value).map(([element]) => element);
    const added = [...fresh].filter(([element, value]) => old.get(element) !== value);
    if (gone.length > 0) lines.push(`delete element ip ${table} ${name} { ${gone.join(', ')} }`);
    if (added.length > 0) {
      const content = added.map(([element, value]) => (value === '' ? element : `${element} : ${value}`));
      lines.push(`add element ip ${table} ${name} { ${content.join(', ')} }`);
    }
  }
  for (const chain of before.chains.keys()) if (!after.chains.has(chain)) lines.push(`delete chain ip ${table} ${chain}`);
  return lines.length === 0 ? undefined : `${lines.join('\n')}\n`;
}
