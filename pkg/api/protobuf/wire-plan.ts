/**
 * A type's fields in the order of their protobuf numbers, with the messages that Go inlines as nodes of their own.
 */
import type { Plan, PlanField } from '../schema/plan.ts';

export interface WireNode {
  readonly number: number;
  /** The field, or undefined for an inlined message. */
  readonly field: PlanField | undefined;
  /** The fields of an inlined message. */
  readonly inline: WirePlan | undefined;
}

export interface WirePlan {
  /** Descending by number: the writer goes from the end. */
  readonly nodes: readonly WireNode[];
  readonly byNumber: ReadonlyMap<number, WireNode>;
}

interface Draft {
  readonly nodes: Map<number, { field?: PlanField; inline?: Draft }>;
}

const cache = new WeakMap<Plan, WirePlan>();

export function wirePlanOf(plan: Plan): WirePlan {
  let wire = cache.get(plan);
  if (wire === undefined) {
    const draft: Draft = { nodes: new Map() };
    for (const field of plan.fields.values()) place(draft, field);
    wire = finish(draft);
    cache.set(plan, wire);
  }
  return wire;
}

function place(draft: Draft, field: PlanField): void {
  const path = field.description.path;
  let current = draft;
  for (const [index, number] of path.entries()) {
    if (index === path.length - 1) {
      current.nodes.set(number, { field });
      return;
    }
    const node: { inline?: Draft } = current.nodes.get(number) ?? {};
    node.inline ??= { nodes: new Map() };
    current.nodes.set(number, node);
    current = node.inline;
  }
}

function finish(draft: Draft): WirePlan {
  const nodes = [...draft.nodes]
    .toSorted(([a], [b]) => b - a)
    .map(
      ([number, node]): WireNode => ({ number, field: node.field, inline: node.inline === undefined ? undefined : finish(node.inline) }),
    );
  return { nodes, byNumber: new Map(nodes.map((node) => [node.number, node])) };
}
