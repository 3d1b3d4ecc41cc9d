import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type NetworkFacts, type RuleSet, renderChange, renderRules, ruleSetOf } from './rules.ts';
import type { ForwardedPort } from './service-ports.ts';

const facts: NetworkFacts = {
  table: 'berth',
  bridge: 'cni-berth0',
  podCidr: '10.42.0.0/24',
  clusterCidr: '10.42.0.0/16',
  serviceCidr: '10.43.0.0/16',
  gateway: '10.42.0.1',
  bridgeFiltered: true,
  dnsPort: 53,
};

function port(number: number, overrides: Partial<ForwardedPort> = {}): ForwardedPort {
  const targets = [
    { address: '10.42.0.2', port: 80 },
    { address: '10.42.0.3', port: 80 },
  ];
  return {
    owner: { kind: 'Service', namespace: 'default', name: `s${number}` },
    id: `Service/default/s${number}/80/tcp`,
    protocol: 'tcp',
    virtual: [{ address: `10.43.0.${number}`, port: 80 }],
    externalAddresses: [],
    node: [{ port: 30_000 + number }],
    internal: targets,
    external: targets,
    affinity: false,
    sourceRanges: [],
    ...overrides,
  };
}

/** What a kernel that was told `change` on top of `before` holds: enough of nft to check renderChange against ruleSetOf. */
function applyChange(before: RuleSet, change: string): RuleSet {
  const chains = new Map(before.chains);
  const elements = new Map([...before.elements].map(([name, content]) => [name, new Map(content)]));
  const pending = new Map<string, string[]>();
  for (const line of change.trim().split('\n')) {
    const [, verb = '', what = '', , , name = '', rest = ''] =
      /^(add|delete) (chain|rule|element) (ip) (\S+) (\S+) ?(.*)$/.exec(line) ?? [];
    if (what === 'chain' && verb === 'add') pending.set(name, []);
    else if (what === 'chain') {
      expect([...elements.values()].some((content) => [...content.values()].includes(`goto ${name}`))).toBe(false);
      expect(chains.delete(name)).toBe(true);
    } else if (what === 'rule') pending.get(name)?.push(rest);
    else {
      const content = elements.get(name)!;
      for (const element of rest.replace(/^\{ | \}$/g, '').split(', ')) {
        const [key = '', value = ''] = element.split(' : ');
        if (verb === 'add') {
          expect(content.has(key)).toBe(false);
          content.set(key, value);
        } else expect(content.delete(key)).toBe(true);
      }
    }
    for (const [chain, rules] of pending) chains.set(chain, rules.join('\n'));
  }
  return { chains, elements };
}

const byKey = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : 1);

const sorted = (rules: RuleSet) => ({
  chains: Object.fromEntries([...rules.chains].toSorted(byKey)),
  elements: Object.fromEntries([...rules.elements].map(([name, content]) => [name, Object.fromEntries([...content].toSorted(byKey))])),
});

describe('rules', () => {
  test('a port leads to a chain that picks an endpoint', () => {
    const text = renderRules(facts, ruleSetOf([port(1)]));
    const [, chain = ''] = /10\.43\.0\.1 \. tcp \. 80 : goto (\S+)/.exec(text) ?? [];
    expect(text).toContain(
      `chain ${chain} {\nmeta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.42.0.2 . 80, 1 : 10.42.0.3 . 80 }`,
    );
    expect(text).toContain(`tcp . 30001 : goto ${chain}`);
    expect(text.startsWith('add table ip berth\ndelete table ip berth\n')).toBe(true);
  });

  test('without endpoints it is refused', () => {
    const rules = ruleSetOf([port(1, { internal: [], external: [] })]);
    expect([...(rules.elements.get('refused_virtual') ?? [])]).toEqual([['10.43.0.1 . tcp . 80', '']]);
    expect([...(rules.elements.get('refused_node') ?? [])]).toEqual([['tcp . 30001', '']]);
    expect(rules.chains.size).toBe(0);
  });

  test('affinity goes by the client, and source ranges guard what comes from outside alone', () => {
    const text = renderRules(facts, ruleSetOf([port(1, { affinity: true, sourceRanges: ['192.0.2.0/24'] })]));
    expect(text).toContain('jhash ip saddr mod 2');
    expect(text.match(/ip saddr != \{ 192\.0\.2\.0\/24 \} drop/g)).toHaveLength(1);
  });

  test('on a kernel that does not filter bridges, answers come back by a changed source', () => {
    const line = 'ct status dnat ip saddr 10.42.0.0/24 oifname "cni-berth0" masquerade';
    expect(renderRules(facts, ruleSetOf([]))).not.toContain(line);
    expect(renderRules({ ...facts, bridgeFiltered: false }, ruleSetOf([]))).toContain(line);
  });

  test('a name server on another port is reached on 53', () => {
    expect(renderRules({ ...facts, dnsPort: 5_300 }, ruleSetOf([]))).toContain('ip daddr 10.42.0.1 udp dport 53 redirect to :5300');
  });

  test('nothing changed: nothing to do', () => {
    expect(renderChange(facts, ruleSetOf([port(1)]), ruleSetOf([port(1)]))).toBeUndefined();
  });

  test('a change leads exactly to what the whole would be, and never deletes a chain that is used', () => {
    const target = fc.record({ address: fc.integer({ min: 2, max: 6 }).map((n) => `10.42.0.${n}`), port: fc.constantFrom(80, 81) });
    const targets = fc.uniqueArray(target, { maxLength: 3, selector: ({ address, port: number }) => `${address}:${number}` });
    const forwarded = fc
      .record({ number: fc.integer({ min: 1, max: 5 }), internal: targets, external: targets, affinity: fc.boolean(), udp: fc.boolean() })
      .map(({ number, udp, ...rest }) => port(number, { ...rest, protocol: udp ? 'udp' : 'tcp' }));
    const states = fc.uniqueArray(forwarded, { maxLength: 5, selector: ({ id }) => id });
    fc.assert(
      fc.property(states, states, (before, after) => {
        const [old, fresh] = [ruleSetOf(before), ruleSetOf(after)];
        const change = renderChange(facts, old, fresh);
        expect(sorted(change === undefined ? old : applyChange(old, change))).toEqual(sorted(fresh));
      }),
    );
  });
});
