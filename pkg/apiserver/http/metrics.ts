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

interface Instruments {
  readonly duration: { observe(value: number): void };
  readonly codes: Map<number, { inc(): void }>;
}

export class ApiMetrics {
  readonly #total: Counter<(typeof requestLabels)[number] | 'code'>;
  readonly #duration: Histogram<(typeof requestLabels)[number]>;
  readonly #mutating: Gauge.Internal<'request_kind'>;
  readonly #readOnly: Gauge.Internal<'request_kind'>;
  readonly #longRunning: Gauge<'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'scope' | 'component'>;
  readonly #watchEvents: Counter<'group' | 'version' | 'resource'>;
  /** Instruments by their labels: finding them in the library costs more than using them. */
  readonly #known = new Map<string, Instruments>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#total = new Counter({
      name: 'apiserver_request_total',
      help: 'Requests by verb, resource and HTTP code.',
      labelNames: [...requestLabels, 'code'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'How long requests took, watches and streams left out.',
      labelNames: requestLabels,
      buckets: [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 30, 60],
      registers,
    });
    const inflight = new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests that are being worked on, watches and streams left out.',
      labelNames: ['request_kind'],
      registers,
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
    this.#mutating = inflight.labels({ request_kind: 'mutating' });
    this.#readOnly = inflight.labels({ request_kind: 'readOnly' });
    for (const kind of [this.#mutating, this.#readOnly]) kind.set(0);
  }

  /** To be called when a request begins; what it returns, when it ends. */
  begin(mutating: boolean): () => void {
    const inflight = mutating ? this.#mutating : this.#readOnly;
    inflight.inc();
    return () => inflight.dec();
  }

  /** `seconds` is undefined for watches and streams. */
  finished(labels: RequestLabels, code: number, seconds: number | undefined): void {
    const key = `${labels.verb} ${labels.group}/${labels.version}/${labels.resource}/${labels.subresource} ${labels.scope}${labels.dryRun}`;
    let instruments = this.#known.get(key);
    if (instruments === undefined) {
      instruments = { duration: this.#duration.labels(namesOf(labels)), codes: new Map() };
      this.#known.set(key, instruments);
    }
    let counter = instruments.codes.get(code);
    if (counter === undefined) {
      counter = this.#total.labels({ ...namesOf(labels), code: String(code) });
      instruments.codes.set(code, counter);
    }
    counter.inc();
    if (seconds !== undefined) instruments.duration.observe(seconds);
  }

  /** Like `begin`, for watches and streams. */
  beginLongRunning({ verb, group, version, resource, subresource, scope }: RequestLabels): () => void {
    const labels = { verb, group, version, resource, subresource, scope, component: 'apiserver' };
    this.#longRunning.inc(labels);
    return () => this.#longRunning.dec(labels);
  }

  watchEvents(resource: { readonly group: string; readonly version: string; readonly plural: string }, count: number): void {
    this.#watchEvents.inc({ group: resource.group, version: resource.version, resource: resource.plural }, count);
  }
}

function namesOf(labels: RequestLabels): Record<(typeof requestLabels)[number], string> {
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
