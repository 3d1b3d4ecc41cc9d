/** What may change of a pod once it is there. */
import { deepEqual } from '../equality.ts';
import type { FieldErrors } from '../field-errors.ts';
import { canonicalJson } from '../hash.ts';
import { checkDns1123Subdomain, checkQualifiedName } from '../names.ts';
import type { Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../shapes/types/core-v1.ts';
import { validateTolerations } from './scheduling.ts';
import { mirrorAnnotation } from './validate.ts';

const allowed =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,' +
  '`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
const affinityPath = 'spec.affinity.nodeAffinity';
const termsPath = `${affinityPath}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;

export function validatePodUpdate(pod: Pod, old: Pod, errors: FieldErrors): void {
  validateMirror(pod, old, errors);
  const { spec } = pod;
  for (const list of ['containers', 'initContainers'] as const) {
    if ((spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) {
      errors.forbidden(`spec.${list}`, 'pod updates may not add or remove containers');
      return;
    }
  }
  const [deadline, before] = [spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds];
  if (before !== undefined && deadline !== undefined && deadline > before) {
    errors.invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value');
    return;
  }
  if (before !== undefined && deadline === undefined)
    errors.invalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value');
  validateAddedTolerations(spec, old.spec, errors);
  validateGates(spec, old.spec, errors);
  const isGated = (old.spec.schedulingGates ?? []).length > 0;
  if (isGated) validateGatedPod(spec, old.spec, errors);
  const [now, then] = [fixedPart(spec, old.spec, isGated), fixedPart(old.spec, old.spec, isGated)];
  if (!deepEqual(now, then)) errors.forbidden('spec', `${allowed}\n${differences(now, then)}`);
}

/** A mirror of what a node runs by itself stays one. */
function validateMirror(
  { metadata: { annotations = {} } }: Pod,
  { metadata: { annotations: before = {} } }: Pod,
  errors: FieldErrors,
): void {
  const at = `metadata.annotations[${mirrorAnnotation}]`;
  if (annotations[mirrorAnnotation] === before[mirrorAnnotation]) return;
  errors.forbidden(
    at,
    before[mirrorAnnotation] === undefined ? 'may not add mirror pod annotation' : 'may not remove or update mirror pod annotation',
  );
}

/** What there was stays, but for how long it holds. */
function validateAddedTolerations({ tolerations = [] }: PodSpec, { tolerations: before = [] }: PodSpec, errors: FieldErrors): void {
  const textOf = (toleration: Toleration): string => canonicalJson({ ...toleration, tolerationSeconds: undefined });
  const now = new Set(tolerations.map(textOf));
  if (before.every((old) => now.has(textOf(old)))) validateTolerations(tolerations, 'spec.tolerations', errors);
  else errors.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds');
}

function validateGates({ schedulingGates = [] }: PodSpec, { schedulingGates: before = [] }: PodSpec, errors: FieldErrors): void {
  const old = new Set(before.map(({ name }) => name));
  for (const [index, { name }] of schedulingGates.entries()) {
    if (old.has(name)) continue;
    errors.forbidden(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`);
  }
}

/** Where a pod may run can be narrowed until it is let go. */
function validateGatedPod(spec: PodSpec, old: PodSpec, errors: FieldErrors): void {
  const { nodeSelector = {} } = spec;
  if (Object.entries(old.nodeSelector ?? {}).some(([key, value]) => nodeSelector[key] !== value)) {
    errors.invalid('spec.nodeSelector', nodeSelector, 'only additions to spec.nodeSelector are allowed (no mutations or deletions)');
  }
  const [terms, before] = [requiredTerms(spec.affinity?.nodeAffinity), requiredTerms(old.affinity?.nodeAffinity)];
  if (before.length > 0 && before.length !== terms.length) {
    errors.invalid(termsPath, terms, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed');
    return;
  }
  for (const [index, term] of before.entries()) {
    const now = terms[index] ?? {};
    if (!hasOnlyAdditions(now, term))
      errors.invalid(`${termsPath}[${index}]`, now, 'only additions are allowed (no mutations or deletions)');
  }
}

function requiredTerms(affinity: NodeAffinity | undefined): readonly NodeSelectorTerm[] {
  return affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
}

function hasOnlyAdditions(now: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const lists = ['matchExpressions', 'matchFields'] as const;
  // A term without requirements holds for no node: with some it would hold for more.
  if (lists.every((list) => (old[list] ?? []).length === 0)) return lists.every((list) => (now[list] ?? []).length === 0);
  return lists.every((list) => deepEqual((now[list] ?? []).slice(0, old[list]?.length ?? 0), old[list] ?? []));
}

/** The spec without what may change. */
function fixedPart(spec: PodSpec, old: PodSpec, isGated: boolean): Record<string, unknown> {
  const { nodeAffinity: _, ...affinity } = spec.affinity ?? {};
  const grace = spec.terminationGracePeriodSeconds;
  return {
    ...spec,
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
    terminationGracePeriodSeconds: (old.terminationGracePeriodSeconds ?? 0) < 0 && grace === 1 ? old.terminationGracePeriodSeconds : grace,
    ...(isGated ? { nodeSelector: undefined, affinity: Object.keys(affinity).length === 0 ? undefined : affinity } : {}),
    containers: spec.containers?.map(withoutImage),
    initContainers: spec.initContainers?.map(withoutImage),
  };
}

function withoutImage(container: Container): Record<string, unknown> {
  return { ...container, image: undefined };
}

/** What differs, field by field: `-` as it was, `+` as it would be. */
function differences(now: Readonly<Record<string, unknown>>, before: Readonly<Record<string, unknown>>): string {
  const fields = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((field) => !deepEqual(now[field], before[field]));
  const line = (sign: string, field: string, value: unknown): string[] =>
    value === undefined ? [] : [`${sign} spec.${field}: ${JSON.stringify(value)}`];
  return fields.flatMap((field) => [...line('-', field, before[field]), ...line('+', field, now[field])]).join('\n');
}

const systemConditions = new Set(['PodScheduled', 'Ready', 'Initialized']);

/** Rules for a write of the status: a pod that has ended stays so. */
export function validatePodStatusUpdate(pod: Pod, old: Pod, errors: FieldErrors): void {
  for (const [index, { type }] of (pod.status?.conditions ?? []).entries()) {
    if (systemConditions.has(type)) continue;
    for (const fault of checkQualifiedName(type)) errors.invalid(`metadata.conditions[${index}].Type`, type, fault);
  }
  const node = pod.status?.nominatedNodeName ?? '';
  if (node !== '' && node !== old.status?.nominatedNodeName) {
    for (const fault of checkDns1123Subdomain(node)) errors.invalid('status.nominatedNodeName', node, fault);
  }
  const ended = old.status?.phase === 'Succeeded' || old.status?.phase === 'Failed';
  if (ended && pod.status?.phase !== old.status?.phase) {
    errors.invalid('status.phase', pod.status?.phase ?? '', `may not change from ${old.status?.phase ?? ''}, which is final`);
  }
}
