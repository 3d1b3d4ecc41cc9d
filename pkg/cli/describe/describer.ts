/** What a describer of one kind gets and gives; the kinds that have one are listed in index.ts, the others are shown by generic.ts. */
import type { KubernetesObject } from '#api/object';
import type { Clock } from '#base/clock';
import type { Client } from '#client/client';
import type { Line } from './sections.ts';

export interface DescribeContext {
  readonly client: Client;
  readonly clock: Clock;
}

export interface Describer {
  readonly group: string;
  readonly kind: string;
  /** The body between the metadata and the events. May read what belongs to the object through the client. */
  describe(object: KubernetesObject, context: DescribeContext): Promise<readonly Line[]>;
}

/** A describer over one kind's interface. */
export function defineDescriber<T extends KubernetesObject>(
  group: string,
  kind: string,
  describe: (object: T, context: DescribeContext) => Promise<readonly Line[]> | readonly Line[],
): Describer {
  return { group, kind, describe: async (object, context) => await describe(object as T, context) };
}
