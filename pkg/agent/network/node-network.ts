/**
 * The network of one node: its bridge and CNI configuration, the rules for services and host ports, and the name server of its pods.
 * Invariant: all of it is in the kernel or answered from memory, so it goes on while the control plane is away, and rules go on while the agent is;
 * one `apply` swaps everything at once. What it leaves to others: giving pods their addresses (CNI, through the runtime), routes to other nodes.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Logger } from '#base/logging';
import { writeCniConfiguration } from './cni.ts';
import { DnsServer } from './dns/dns-server.ts';
import { Upstream } from './dns/upstream.ts';
import { zoneOf } from './dns/zone.ts';
import { ensureBridge, outwardMtu } from './host/bridge.ts';
import { openHostFirewall } from './host/host-firewall.ts';
import { changeKernelSettings } from './host/kernel-settings.ts';
import { PortHolder, portKey } from './host/port-holder.ts';
import { runProgram } from './host/run-program.ts';
import { refuseTakenRanges } from './host/taken-ranges.ts';
import { type NetworkLayout, networkLayout } from './network-layout.ts';
import { parseRange, type Range } from './ranges.ts';
import { claimPorts, pick, withOpenPorts } from './services/claims.ts';
import { runNft } from './services/nft.ts';
import { type NetworkFacts, type RuleSet, renderChange, renderRules, ruleSetOf } from './services/rules.ts';
import { forwardedPorts, type PortsCache } from './services/service-ports.ts';
import type { NetworkState, Problem } from './state.ts';

export interface NodeNetworkOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly nodeName: string;
  /** Pods of this node, e.g. `10.42.0.0/24`. */
  readonly podCidr: string;
  /** Pods of all nodes. */
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  /** `cluster.local`. */
  readonly domain: string;
  /** Folder where the runtime looks for CNI's configuration. */
  readonly cniConfiguration: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** `/etc/resolv.conf` unless given: whom to ask for what is not the cluster's. */
  readonly resolvConf?: string;
  /** Told when a later attempt at a port that was taken changes what is wrong. */
  readonly onProblems?: (problems: readonly Problem[]) => void;
}

/** A port that is taken is tried again after this. */
const retryInterval = 30_000;
/** How often it is looked whether others left our rules alone: a firewall's reload takes all tables away, Docker's start closes forwarding. */
const watchInterval = 15_000;

export class NodeNetwork {
  readonly layout: NetworkLayout;
  readonly #options: NodeNetworkOptions;
  readonly #podRange: Range;
  readonly #holder = new PortHolder();
  readonly #dns: DnsServer;
  #bridgeFiltered = true;
  /** What the kernel has; undefined: not known. */
  #rules: RuleSet | undefined;
  readonly #ports: PortsCache = new WeakMap();
  #state: NetworkState = { services: [], endpointSlices: [], pods: [] };
  #applying: Promise<unknown> = Promise.resolve();
  #retry: { cancel(): void } | undefined;
  #watch: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
    this.layout = networkLayout(options.home);
    this.#podRange = parseRange(options.podCidr);
    const ranges = [options.clusterCidr, options.serviceCidr].map(parseRange);
    this.#dns = new DnsServer({
      address: this.dnsAddress,
      upstream: new Upstream({
        ownAddresses: [this.dnsAddress],
        clock: options.clock,
        log: options.log,
        ...(options.resolvConf === undefined ? {} : { resolvConf: options.resolvConf }),
      }),
      owns: (address) => ranges.some((range) => range.contains(address)),
      log: options.log,
    });
  }

  /** What pods get as their name server: the node's address on the bridge. */
  get dnsAddress(): string {
    return this.#podRange.gateway;
  }

  /**
   * Makes everything but the rules for services: those that an earlier agent left are kept until the first `apply`. Idempotent. Throws with
   * what is missing on this machine.
   */
  async setup(): Promise<void> {
    const { layout } = this;
    const { podCidr, serviceCidr, log } = this.#options;
    await refuseTakenRanges([podCidr, serviceCidr], layout.bridge);
    mkdirSync(layout.folder, { recursive: true });
    const mtu = await outwardMtu();
    // Not there, or already in the kernel: then the setting below tells.
    if (!existsSync('/proc/sys/net/bridge')) await runProgram('modprobe', ['br_netfilter']).catch(() => undefined);
    const missing = changeKernelSettings(layout.kernelSettings, {
      'net/ipv4/ip_forward': '1',
      'net/bridge/bridge-nf-call-iptables': '1',
    });
    this.#bridgeFiltered = !missing.includes('net/bridge/bridge-nf-call-iptables');
    if (!this.#bridgeFiltered)
      log.warn('the kernel module br_netfilter is missing: a service sees its own node as the client of pods on the same node');
    await ensureBridge({ name: layout.bridge, address: `${this.dnsAddress}/${this.#podRange.length}`, mtu });
    // Lets what is sent to 127.0.0.1 on a published port leave for a pod; of the bridge alone, so it goes with it.
    writeFileSync(`/proc/sys/net/ipv4/conf/${layout.bridge}/route_localnet`, '1');
    // A machine without a default route reaches services as well.
    await runProgram('ip', ['route', 'replace', serviceCidr, 'dev', layout.bridge, 'src', this.dnsAddress]);
    await openHostFirewall({ mark: layout.firewallMark, bridge: layout.bridge });
    writeCniConfiguration(this.#options.cniConfiguration, {
      name: layout.cniNetwork,
      bridge: layout.bridge,
      podCidr,
      mtu,
      dataFolder: layout.addresses,
    });
    await this.#dns.listen();
    if (!(await this.#hasTable())) {
      const none = ruleSetOf([]);
      await runNft(renderRules(this.#facts(), none));
      this.#rules = none;
    }
    this.#watchRules();
  }

  /**
   * Brings names, rules and held ports to `state`, at once and as a whole; calls take effect in their order. Gives what could not be opened, which
   * is tried again by itself. Throws when the kernel refuses the rules: the old ones hold.
   */
  apply(state: NetworkState): Promise<readonly Problem[]> {
    this.#state = state;
    this.#dns.setZone(zoneOf(state, this.#options.domain));
    const result = this.#applying.then(() => this.#applyRules(state));
    this.#applying = result.catch(() => undefined);
    return result;
  }

  /** Ends the name server and lets the held ports go; bridge and rules stay, for the pods that run on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    this.#watch?.cancel();
    await this.#applying;
    await Promise.all([this.#dns.close(), this.#holder.close()]);
  }

  async #applyRules(state: NetworkState): Promise<readonly Problem[]> {
    this.#retry?.cancel();
    const ports = forwardedPorts(state, this.#options.nodeName, this.#ports);
    const { claims, problems } = claimPorts(ports);
    const failures = await this.#holder.hold(claims.map(({ wanted }) => wanted));
    const open = claims.filter(({ wanted }) => !failures.has(portKey(wanted)));
    const taken = claims.flatMap(({ owner, wanted }) => {
      const reason = failures.get(portKey(wanted));
      return reason === undefined ? [] : [{ ...owner, ...pick(wanted), reason }];
    });
    await this.#load(ruleSetOf(withOpenPorts(ports, open)));
    if (taken.length > 0 && !this.#closed) this.#retry = this.#options.clock.schedule(retryInterval, () => this.#tryAgain(taken.length));
    return [...problems, ...taken];
  }

  async #load(rules: RuleSet): Promise<void> {
    const facts = this.#facts();
    const before = this.#rules;
    if (before !== undefined) {
      const change = renderChange(facts, before, rules);
      if (change === undefined) return;
      try {
        await runNft(change);
        this.#rules = rules;
        return;
      } catch (error) {
        // Someone else changed the table: it is written anew below.
        this.#options.log.warn('the rules were not as they were left, loading all of them', { reason: messageOf(error) });
        this.#rules = undefined;
      }
    }
    await runNft(renderRules(facts, rules));
    this.#rules = rules;
  }

  #tryAgain(before: number): void {
    this.apply(this.#state).then(
      (problems) => {
        if (problems.length !== before) this.#options.onProblems?.(problems);
      },
      (error: unknown) => this.#options.log.warn('the rules could not be loaded', { reason: messageOf(error) }),
    );
  }

  #watchRules(): void {
    this.#watch?.cancel();
    if (this.#closed) return;
    this.#watch = this.#options.clock.schedule(watchInterval, () => {
      this.#restoreRules()
        .catch((error: unknown) => this.#options.log.warn('the rules could not be loaded', { reason: messageOf(error) }))
        .finally(() => this.#watchRules());
    });
  }

  /** Makes good what others did to our rules. */
  async #restoreRules(): Promise<void> {
    await openHostFirewall({ mark: this.layout.firewallMark, bridge: this.layout.bridge });
    if (this.#rules === undefined || (await this.#hasTable())) return;
    this.#options.log.warn('another program removed the rules, loading them again');
    this.#rules = undefined;
    await this.apply(this.#state);
  }

  #facts(): NetworkFacts {
    const { podCidr, clusterCidr, serviceCidr } = this.#options;
    return {
      table: this.layout.table,
      bridge: this.layout.bridge,
      podCidr,
      clusterCidr,
      serviceCidr,
      gateway: this.dnsAddress,
      bridgeFiltered: this.#bridgeFiltered,
      dnsPort: this.#dns.port,
    };
  }

  async #hasTable(): Promise<boolean> {
    const tables = await runProgram('nft', ['list', 'tables', 'ip']);
    return tables.split('\n').includes(`table ip ${this.layout.table}`);
  }
}
