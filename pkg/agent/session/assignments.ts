/**
 * What this node was assigned, in memory and on disk. Invariant: what is acted on was on disk before, with its revision, so that an older offer is known as
 * such after any crash. On disk it is a log of JSON lines (0600, for there are secrets in it), written anew when it has grown or when a secret
 * has left it.
 */
import { chmod, type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { KubernetesObject } from '#api/object';
import { codeOf } from '#base/errors';
import type { Logger } from '#base/logging';
import { writeDurably } from '../durable-file.ts';
import { type Held, type Offer, reasonToRefuse, type StoreState } from './judge.ts';

export interface AssignedObject {
  /** Resource across groups: `pods`, `endpointslices.discovery.k8s.io`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** Undefined: no longer assigned. */
  readonly object: KubernetesObject | undefined;
}

export interface AssignmentChange extends Offer {
  readonly snapshot: boolean;
  readonly objects: readonly AssignedObject[];
}

export type Acceptance = { readonly accepted: true } | { readonly accepted: false; readonly reason: string };

export interface Assignments {
  readonly held: Held;
  /** Takes in what a server said of its store when the session began: it holds for all that is offered until the next. */
  welcome(store: StoreState): void;
  /** Resolves when it is on disk, in memory, and the listeners have been told; or with the reason why it is not accepted. One at a time. */
  offer(change: AssignmentChange): Promise<Acceptance>;
  get(resource: string, namespace: string, name: string): KubernetesObject | undefined;
  list(resource: string): readonly KubernetesObject[];
  /** Told of each object that differs from before; of all that are there, with `replay`. */
  onChange(listener: (changed: readonly AssignedObject[]) => void): void;
  close(): Promise<void>;
}

interface Line extends Held {
  readonly objects: readonly AssignedObject[];
}

const rewriteAfter = 4 * 1024 * 1024;

/** Reads what is on disk. Throws when the file is there and cannot be read, for starting with nothing would stop what runs. */
export async function openAssignments(path: string, log: Logger): Promise<Assignments> {
  const assignments = new DiskAssignments(path);
  await assignments.load(log);
  return assignments;
}

/** Makes the node take what the next server gives, whatever that is. */
export async function forgetAssignments(path: string): Promise<void> {
  await rm(path, { force: true });
}

class DiskAssignments implements Assignments {
  readonly #path: string;
  readonly #objects = new Map<string, Map<string, AssignedObject>>();
  readonly #listeners: ((changed: readonly AssignedObject[]) => void)[] = [];
  #held: Held = { incarnation: '', era: '', revision: 0, restoredEra: '' };
  #store: StoreState = { era: '', diverged: false, restoredEra: '' };
  #file: FileHandle | undefined;
  #appended = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get held(): Held {
    return this.#held;
  }

  async load(log: Logger): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    const lines = text.split('\n').filter((line) => line !== '');
    for (const [index, line] of lines.entries()) {
      let parsed: Line;
      try {
        parsed = JSON.parse(line) as Line;
      } catch {
        // The last write was cut off by a crash; it was never acted on.
        if (index === lines.length - 1 && index > 0) break;
        throw new Error(
          `${this.#path}:${index + 1} is damaged: start the agent with --forget-assignments to take the server's word instead`,
        );
      }
      this.#take(parsed);
    }
    await chmod(this.#path, 0o600);
    await this.#rewrite();
    log.info('taken up from disk', { pods: this.list('pods').length, revision: this.#held.revision });
  }

  welcome(store: StoreState): void {
    this.#store = store;
  }

  async offer(change: AssignmentChange): Promise<Acceptance> {
    const reason = reasonToRefuse(this.#held, this.#store, change);
    if (reason !== undefined) return { accepted: false, reason };
    const { incarnation, revision, snapshot } = change;
    const differing = change.objects.filter((entry) => this.#differs(entry));
    const gone = snapshot ? this.#missingFrom(change.objects) : [];
    const changed = [...differing, ...gone];
    const { era, restoredEra } = this.#store;
    if (changed.length > 0 || revision !== this.#held.revision || incarnation !== this.#held.incarnation || era !== this.#held.era) {
      const forgetsSecret = changed.some(
        ({ resource, namespace, name }) => resource === 'secrets' && this.get(resource, namespace, name) !== undefined,
      );
      const line: Line = { incarnation, era, revision, restoredEra, objects: changed };
      if (forgetsSecret || this.#appended > rewriteAfter) {
        this.#take(line);
        await this.#rewrite();
      } else {
        await this.#append(line);
        this.#take(line);
      }
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
    return { accepted: true };
  }

  get(resource: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#objects.get(resource)?.get(`${namespace}/${name}`)?.object;
  }

  list(resource: string): readonly KubernetesObject[] {
    return [...(this.#objects.get(resource)?.values() ?? [])].flatMap(({ object }) => object ?? []);
  }

  onChange(listener: (changed: readonly AssignedObject[]) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #differs({ resource, namespace, name, object }: AssignedObject): boolean {
    const before = this.get(resource, namespace, name);
    if (before === undefined || object === undefined) return before !== object;
    return before.metadata.resourceVersion !== object.metadata.resourceVersion || before.metadata.uid !== object.metadata.uid;
  }

  #missingFrom(objects: readonly AssignedObject[]): AssignedObject[] {
    const present = new Set(objects.map(({ resource, namespace, name }) => `${resource}/${namespace}/${name}`));
    const missing: AssignedObject[] = [];
    for (const entries of this.#objects.values()) {
      for (const { resource, namespace, name } of entries.values()) {
        if (!present.has(`${resource}/${namespace}/${name}`)) missing.push({ resource, namespace, name, object: undefined });
      }
    }
    return missing;
  }

  #take(line: Line): void {
    for (const entry of line.objects) {
      let entries = this.#objects.get(entry.resource);
      if (entries === undefined) {
        entries = new Map();
        this.#objects.set(entry.resource, entries);
      }
      const key = `${entry.namespace}/${entry.name}`;
      if (entry.object === undefined) entries.delete(key);
      else entries.set(key, entry);
    }
    const { incarnation, era, revision, restoredEra } = line;
    this.#held = { incarnation, era, revision, restoredEra };
  }

  async #append(line: Line): Promise<void> {
    const text = `${JSON.stringify(line)}\n`;
    if (this.#file === undefined) {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      this.#file = await open(this.#path, 'a', 0o600);
    }
    await this.#file.appendFile(text);
    await this.#file.datasync();
    this.#appended += text.length;
  }

  async #rewrite(): Promise<void> {
    const line: Line = { ...this.#held, objects: [...this.#objects.values()].flatMap((entries) => [...entries.values()]) };
    await this.close();
    await writeDurably(this.#path, `${JSON.stringify(line)}\n`, 0o600);
    this.#appended = 0;
  }
}
