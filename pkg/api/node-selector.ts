import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from './shapes/types/core-v1.ts';

/** What of a node a selector looks at. */
export interface SelectableNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether one of the terms holds: terms are alternatives, the requirements of a term hold together, an empty term holds for no node. */
export function matchesNodeSelector(selector: NodeSelector, node: SelectableNode): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Whether all requirements of the term hold; a term without any holds for no node. */
export function matchesTerm(term: NodeSelectorTerm, node: SelectableNode): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressions.every((requirement) => holds(requirement, node.labels[requirement.key])) &&
    fields.every((requirement) => holds(requirement, requirement.key === 'metadata.name' ? node.name : undefined))
  );
}

function holds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isWhole(value) && isWhole(values[0]) && Number(value) > Number(values[0]);
    case 'Lt':
      return isWhole(value) && isWhole(values[0]) && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function isWhole(text: string | undefined): boolean {
  return text !== undefined && /^-?[0-9]+$/.test(text);
}

/** The term in words, for messages: `disk=ssd and zone in (a, b)`. */
export function termText(term: NodeSelectorTerm): string {
  const requirements = [...(term.matchExpressions ?? []), ...(term.matchFields ?? [])];
  return requirements.map(requirementText).join(' and ');
}

/** Labels that say what a node is, not what it is for: setting them would be a lie. */
const facts: ReadonlySet<string> = new Set(['kubernetes.io/hostname', 'kubernetes.io/os', 'kubernetes.io/arch']);

/**
 * The fewest changes of the node's labels with which a term would hold, in the words of `kubectl label` (`disk=ssd`, `old-`); undefined where labels
 * alone do not help.
 */
export function labelChanges(selector: NodeSelector, node: SelectableNode): string[] | undefined {
  const changes = selector.nodeSelectorTerms.flatMap((term) => {
    const found = changesFor(term, node);
    return found === undefined ? [] : [found];
  });
  return changes.toSorted((a, b) => a.length - b.length)[0];
}

function changesFor(term: NodeSelectorTerm, node: SelectableNode): string[] | undefined {
  const fields = term.matchFields ?? [];
  if (fields.some((requirement) => !holds(requirement, requirement.key === 'metadata.name' ? node.name : undefined))) return undefined;
  const changes: string[] = [];
  for (const requirement of term.matchExpressions ?? []) {
    const { key, operator, values = [] } = requirement;
    if (holds(requirement, node.labels[key])) continue;
    if (facts.has(key)) return undefined;
    const overwrite = node.labels[key] === undefined ? '' : ' --overwrite';
    if (operator === 'In' && values[0] !== undefined) changes.push(`${key}=${values[0]}${overwrite}`);
    else if (operator === 'Exists') changes.push(`${key}=`);
    else if (operator === 'NotIn' || operator === 'DoesNotExist') changes.push(`${key}-`);
    else return undefined;
  }
  return changes.length === 0 ? undefined : changes;
}

function requirementText({ key, operator, values = [] }: NodeSelectorRequirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(', ')})`;
    case 'NotIn':
      return `${key} not in (${values.join(', ')})`;
    case 'Exists':
      return `${key} present`;
    case 'DoesNotExist':
      return `${key} absent`;
    case 'Gt':
      return `${key} > ${values[0]}`;
    case 'Lt':
      return `${key} < ${values[0]}`;
    default:
      return `${key} ${operator} ${values.join(', ')}`;
  }
}
