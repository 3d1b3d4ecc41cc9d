/** The API server's own figures, under Kubernetes' names, so that its dashboards and alerts work. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface RequestLabels {
  /** In capitals, as Kubernetes has it: `GET`, `LIST`, `WATCH`, `POST`, `PUT`, `PATCH`, `DELETE`, `DELETECOLLECTION`, `CONNECT`. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** `cluster`, `namespace`, `resource`, or empty. */
  readonly scope: string;
  readonly dryRun: boolean;
}

const requestLabels = ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const;

type Label = (typeof requestLabels)[number];

/** Upper bounds in seconds. */
const buckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 30, 60];

/** What was counted of the requests with these labels. */
interface Series {
  readonly names: Record<Label, string>;
  readonly codes: Map<number, number>;
  /** How many took longer than the bound before, and no longer than this one; the last is for those above all bounds. */
  readonly buckets: number[];
  /** Seconds. */
  sum: number;
}

/** The library takes as long to count a request as a good part of answering it: so it only shows what was counted here. */
class Durations extends Histogram<Label> {
  readonly #series: ReadonlyMap<string, Series>;
  readonly #shown: { readonly name: string; readonly help: string };

  constructor(name: string, help: string, series: ReadonlyMap<string, Series>) {
    super({ name, help, labelNames: requestLabels, buckets, registers: [] });
    this.#series = series;
    this.#shown = { name, help };
  }

  /** Where the library itself takes its figures from. */
  getForPromString(): object {
    const { name } = this.#shown;
    const values: { metricName: string; labels: { le?: number | '+Inf' }; sharedLabels: object; value: number }[] = [];
    for (const { names, buckets: counts, sum } of this.#series.values()) {
      // Watches and streams have no duration.
      if (counts.every((inBucket) => inBucket === 0)) continue;
      let count = 0;
      for (const [index, inBucket] of counts.entries()) {
        count += inBucket;
        values.push({ metricName: `${name}_bucket`, labels: { le: buckets[index] ?? '+Inf' }, sharedLabels: names, value: count });
      }
      values.push({ metricName: `${name}_sum`, labels: {}, sharedLabels: names, value: sum });
      values.push({ metricName: `${name}_count`, labels: {}, sharedLabels: names, value: count });
    }
    return { ...this.#shown, type: 'histogram', values, aggregator: 'sum' };
  }
}

export class ApiMetrics {
  readonly #longRunning: Gauge<'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'scope' | 'component'>;
  readonly #watchEvents: Counter<'group' | 'version' | 'resource'>;
  readonly #series = new Map<string, Series>();
  #mutating = 0;
  #readOnly = 0;

  constructor(registry: Registry) {
    const registers = [registry];
    const total: Counter<Label | 'code'> = new Counter({
      name: 'apiserver_request_total',
      help: 'Requests by verb, resource and HTTP code.',
      labelNames: [...requestLabels, 'code'],
      registers,
      collect: () => {
        total.reset();
        for (const { names, codes } of this.#series.values()) {
          for (const [code, count] of codes) total.inc({ ...names, code: String(code) }, count);
        }
      },
    });
    registry.registerMetric(
      new Durations('apiserver_request_duration_seconds', 'How long requests took, watches and streams left out.', this.#series),
    );
    const inflight: Gauge<'request_kind'> = new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests that are being worked on, watches and streams left out.',
      labelNames: ['request_kind'],
      registers,
      collect: () => {
        inflight.set({ request_kind: 'mutating' }, this.#mutating);
        inflight.set({ request_kind: 'readOnly' }, this.#readOnly);
      },
    });
    this.#longRunning = new Gauge({
      name: 'apiserver_longrunning_requests',
      help: 'Watches and streams that are open.',
      labelNames: ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'],
      registers,
    });
    this.#watchEvents = new Counter({
      name: 'apiserver_watch_events_total',
      help: 'Events that were written to watches.',
      labelNames: ['group', 'version', 'resource'],
      registers,
    });
  }

  /** To be called when a request begins; what it returns, when it ends. */
  begin(mutating: boolean): () => void {
    if (mutating) {
      this.#mutating++;
      return () => void this.#mutating--;
    }
    this.#readOnly++;
    return () => void this.#readOnly--;
  }

  /** `seconds` is undefined for watches and streams. */
  finished(labels: RequestLabels, code: number, seconds: number | undefined): void {
    const key = `${labels.verb} ${labels.group}/${labels.version}/${labels.resource}/${labels.subresource} ${labels.scope}${labels.dryRun}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { names: namesOf(labels), codes: new Map(), buckets: Array.from({ length: buckets.length + 1 }, () => 0), sum: 0 };
      this.#series.set(key, series);
    }
    series.codes.set(code, (series.codes.get(code) ?? 0) + 1);
    if (seconds === undefined) return;
    let bucket = 0;
    while (bucket < buckets.length && seconds > buckets[bucket]!) bucket++;
    series.buckets[bucket]!++;
    series.sum += seconds;
  }

  /** Like `begin`, for watches and streams. */
  beginLongRunning({ verb, group, version, resource, subresource, scope }: RequestLabels): () => void {
    const labels = { verb, group, version, resource, subresource, scope, component: 'apiserver' };
    this.#longRunning.inc(labels);
    return () => this.#longRunning.dec(labels);
  }

  /** What is to be called with the number of events that were written. */
  watchEvents({ group, version, plural }: { readonly group: string; readonly version: string; readonly plural: string }) {
    const counter = this.#watchEvents.labels({ group, version, resource: plural });
    return (count: number): void => counter.inc(count);
  }
}

function namesOf(labels: RequestLabels): Record<Label, string> {
  return {
    verb: labels.verb,
    dry_run: labels.dryRun ? 'All' : '',
    group: labels.group,
    version: labels.version,
    resource: labels.resource,
    subresource: labels.subresource,
    scope: labels.scope,
    component: 'apiserver',
  };
}
