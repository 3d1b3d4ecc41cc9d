/**
 * What the server is still to be told: of each pod the newest status, of each event the newest count, of the node the newest observation, of released volumes that their
 * data are gone. One batch is under way
 * at a time; what it held is kept until it is acknowledged, and goes out again after a reconnect.
 */
import type { Node } from '#api/shapes/types/core-v1';
import type { RecordedEvent } from '../events.ts';
import type { PodReport } from '../node-context.ts';

/** A released volume whose data are gone from the node. */
export interface RemovedVolume {
  readonly name: string;
  readonly uid: string;
}

export interface Batch {
  readonly sequence: number;
  readonly pods: readonly PodReport[];
  readonly events: readonly RecordedEvent[];
  readonly node: Node | undefined;
  readonly volumes: readonly RemovedVolume[];
}

const maximumPods = 200;
const maximumEvents = 500;
/** Events beyond this are dropped, the oldest first: they are news, not state. */
const keptEvents = 2000;

export class Outbox {
  readonly #pods = new Map<string, PodReport>();
  readonly #events = new Map<string, RecordedEvent>();
  readonly #volumes = new Map<string, RemovedVolume>();
  #node: Node | undefined;
  #underWay: Batch | undefined;
  #sequence = 0;
  #wake: () => void = () => undefined;

  report(report: PodReport): void {
    const before = this.#pods.get(report.uid);
    // That a pod is gone is not unsaid by a report that was on its way.
    if (before?.stopped === true && !report.stopped) return;
    this.#pods.set(report.uid, report);
    this.#wake();
  }

  event(event: RecordedEvent): void {
    const key = keyOf(event);
    this.#events.delete(key);
    this.#events.set(key, event);
    if (this.#events.size > keptEvents) {
      const oldest = this.#events.keys().next().value;
      if (oldest !== undefined) this.#events.delete(oldest);
    }
    this.#wake();
  }

  node(node: Node): void {
    this.#node = node;
    this.#wake();
  }

  volumeRemoved(volume: RemovedVolume): void {
    this.#volumes.set(volume.uid, volume);
    this.#wake();
  }

  /** Called when there may be something to send. */
  onWork(wake: () => void): void {
    this.#wake = wake;
  }

  get isEmpty(): boolean {
    return this.#pods.size + this.#events.size + this.#volumes.size === 0 && this.#node === undefined;
  }

  /** The next batch; undefined while one is under way or when there is nothing to say. */
  take(): Batch | undefined {
    if (this.#underWay !== undefined || this.isEmpty) return undefined;
    this.#underWay = {
      sequence: ++this.#sequence,
      pods: [...this.#pods.values()].slice(0, maximumPods),
      events: [...this.#events.values()].slice(0, maximumEvents),
      node: this.#node,
      volumes: [...this.#volumes.values()],
    };
    return this.#underWay;
  }

  /** What the batch said is durable; what has changed since stays to be said. `unknown` pods are not spoken of again. */
  acknowledge(sequence: number, unknown: readonly string[]): void {
    const batch = this.#underWay;
    if (batch === undefined || batch.sequence !== sequence) return;
    this.#underWay = undefined;
    for (const report of batch.pods) if (this.#pods.get(report.uid) === report) this.#pods.delete(report.uid);
    for (const event of batch.events) if (this.#events.get(keyOf(event)) === event) this.#events.delete(keyOf(event));
    if (this.#node === batch.node) this.#node = undefined;
    for (const { uid } of batch.volumes) this.#volumes.delete(uid);
    for (const uid of unknown) this.#pods.delete(uid);
    this.#wake();
  }

  /** A new session: nothing is under way any more. */
  reset(): void {
    this.#underWay = undefined;
  }
}

function keyOf({ involvedObject, type, reason, message, firstTime }: RecordedEvent): string {
  return JSON.stringify([involvedObject.uid, involvedObject.fieldPath, type, reason, message, firstTime]);
}
