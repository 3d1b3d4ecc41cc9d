/**
 * What nodes and their containers use, from the agents' own figures (`/metrics/resource`). Nothing is collected while nobody asks: an answer lies between
 * two samples, the second of which is taken when it is asked for, and the first kept from before or taken a second earlier.
 */
import { text } from 'node:stream/consumers';
import type { Clock } from '#base/clock';
import type { NodeConnector } from '#client/node-connector';

export interface Usage {
  /** Thousand-millionths of a CPU, averaged over the window. */
  readonly cpuNanocores: number;
  readonly memoryBytes: number;
}

export interface ContainerUsage extends Usage {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export interface NodeUsage extends Usage {
  /** When the window ended, milliseconds since 1970. */
  readonly timestamp: number;
  readonly windowMilliseconds: number;
  readonly containers: readonly ContainerUsage[];
}

/** One thing's counters at one time. */
interface Counters {
  cpuSeconds: number;
  memoryBytes: number;
  /** Milliseconds since 1970. */
  timestamp: number;
}

interface Sample {
  readonly timestamp: number;
  readonly node: Counters;
  readonly containers: ReadonlyMap<string, Counters & Pick<ContainerUsage, 'namespace' | 'pod' | 'container'>>;
}

/** Milliseconds: two samples are at least so far apart, an answer may be so old, and a sample so old is not compared with any more. */
const [shortestWindow, longestAge, longestWindow] = [1000, 5000, 120_000];

export class NodeUsages {
  readonly #connector: NodeConnector;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly usage: NodeUsage; readonly sample: Sample }>();
  readonly #asked = new Map<string, Promise<NodeUsage>>();

  constructor(connector: NodeConnector, clock: Clock) {
    this.#connector = connector;
    this.#clock = clock;
  }

  /** Takes about a second where nobody has asked for the node in the last two minutes. Throws `StatusError` as `NodeConnector.connect` does. */
  async of(node: string): Promise<NodeUsage> {
    const known = this.#known.get(node);
    if (known !== undefined && this.#clock.now() - known.usage.timestamp < longestAge) return known.usage;
    let asked = this.#asked.get(node);
    if (asked === undefined) {
      asked = this.#measure(node, known?.sample).finally(() => this.#asked.delete(node));
      this.#asked.set(node, asked);
    }
    return await asked;
  }

  async #measure(node: string, kept: Sample | undefined): Promise<NodeUsage> {
    let before = kept;
    if (before === undefined || this.#clock.now() - before.timestamp > longestWindow) {
      before = await this.#sample(node);
      await this.#clock.sleep(shortestWindow);
    }
    const sample = await this.#sample(node);
    const usage = usageBetween(before, sample);
    for (const [other, { sample: old }] of this.#known) if (sample.timestamp - old.timestamp > longestWindow) this.#known.delete(other);
    this.#known.set(node, { usage, sample });
    return usage;
  }

  async #sample(node: string): Promise<Sample> {
    // Of whoever asks while it is measured: one of them going away does not end it.
    const stream = await this.#connector.connect(node, { type: 'agentHttp', path: '/metrics/resource' }, new AbortController().signal);
    return readSample(await text(stream), this.#clock.now());
  }
}

const line = /^(container|node)_(cpu_usage_seconds_total|memory_working_set_bytes)(?:\{(.*)\})? (\S+)(?: (\d+))?$/;

/** Reads Prometheus' text format as agents write it; lines about anything else are passed over. `now` is the time of lines without one. */
export function readSample(page: string, now: number): Sample {
  const node: Counters = { cpuSeconds: 0, memoryBytes: 0, timestamp: now };
  const containers = new Map<string, Counters & Pick<ContainerUsage, 'namespace' | 'pod' | 'container'>>();
  for (const row of page.split('\n')) {
    const match = line.exec(row);
    if (match === null) continue;
    const [, what, figure, labels = '', value, time] = match;
    let counters = node;
    if (what === 'container') {
      const {
        namespace = '',
        pod = '',
        container = '',
      } = Object.fromEntries([...labels.matchAll(/\b(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text])) as Partial<
        Record<'namespace' | 'pod' | 'container', string>
      >;
      const key = `${namespace}/${pod}/${container}`;
      const known = containers.get(key) ?? { namespace, pod, container, cpuSeconds: 0, memoryBytes: 0, timestamp: now };
      containers.set(key, known);
      counters = known;
    }
    if (figure === 'cpu_usage_seconds_total') counters.cpuSeconds = Number(value);
    else counters.memoryBytes = Number(value);
    if (time !== undefined) counters.timestamp = Number(time);
  }
  return { timestamp: now, node, containers };
}

/** A counter that fell began anew: its container was restarted in between. */
export function usageBetween(before: Sample, after: Sample): NodeUsage {
  return {
    timestamp: after.timestamp,
    windowMilliseconds: after.timestamp - before.timestamp,
    ...usage(before.node, after.node, before.timestamp),
    containers: [...after.containers].map(([key, counters]) => ({
      namespace: counters.namespace,
      pod: counters.pod,
      container: counters.container,
      ...usage(before.containers.get(key), counters, before.timestamp),
    })),
  };
}

function usage(before: Counters | undefined, after: Counters, begin: number): Usage {
  const began = before === undefined || before.cpuSeconds > after.cpuSeconds ? { cpuSeconds: 0, timestamp: begin } : before;
  const milliseconds = Math.max(1, after.timestamp - began.timestamp);
  return {
    cpuNanocores: Math.round(((after.cpuSeconds - began.cpuSeconds) / milliseconds) * 1e12),
    memoryBytes: after.memoryBytes,
  };
}
