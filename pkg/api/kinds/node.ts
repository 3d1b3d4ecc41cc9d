import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkLabelValue, checkQualifiedName } from '../names.ts';
import { requireRange } from '../networking/addresses.ts';
import { requireOneOf, validateQuantityNotNegative } from '../pod-spec/checks.ts';
import { taintEffects } from '../pod-spec/scheduling.ts';
import type { Node } from '../shapes/types/core-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';

const rolePrefix = 'node-role.kubernetes.io/';

const text = (name: string, description: string, cell: (object: Node) => string): FilledColumn<Node> => ({
  name,
  type: 'string',
  description,
  cell,
});

export const node = defineKind<Node>({
  group: '',
  kind: 'Node',
  description: 'A machine that runs pods.',
  support: 'acted on',
  supportNote: 'registered and reported on by its agent',
  defaults: (draft) => {
    const status = draft.status;
    if (status?.capacity !== undefined && status.allocatable === undefined) status.allocatable = { ...status.capacity };
  },
  // A node registers with its status.
  beforeCreate: undefined,
  changesGeneration: undefined,
  validate: (object) => {
    const errors = new FieldErrors();
    const seen = new Set<string>();
    for (const [index, taint] of (object.spec.taints ?? []).entries()) {
      const at = `spec.taints[${index}]`;
      for (const fault of checkQualifiedName(taint.key)) errors.invalid(`${at}.key`, taint.key, fault);
      for (const fault of checkLabelValue(taint.value ?? '')) errors.invalid(`${at}.value`, taint.value, fault);
      if (taint.effect === '') errors.required(`${at}.effect`);
      else requireOneOf(taint.effect, `${at}.effect`, taintEffects, errors);
      const key = `${taint.key}:${taint.effect}`;
      if (seen.has(key)) errors.duplicate(at, taint);
      seen.add(key);
    }
    for (const field of ['capacity', 'allocatable'] as const) {
      for (const [name, value] of Object.entries(object.status?.[field] ?? {})) {
        validateQuantityNotNegative(value, `status.${field}.${name}`, errors);
      }
    }
    for (const [index, range] of (object.spec.podCIDRs ?? []).entries()) requireRange(range, `spec.podCIDRs[${index}]`, errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    const addresses = new Set<string>();
    for (const [index, address] of (object.status?.addresses ?? []).entries()) {
      const key = `${address.type}/${address.address}`;
      if (addresses.has(key)) errors.duplicate(`status.addresses[${index}]`, address);
      addresses.add(key);
    }
    if ((old.spec.podCIDRs ?? []).length > 0 && !deepEqual(object.spec.podCIDRs, old.spec.podCIDRs)) {
      errors.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
    }
    if ((old.spec.providerID ?? '') !== '' && object.spec.providerID !== old.spec.providerID) {
      errors.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid');
    }
    return errors;
  },
  columns: tableColumns<Node>([
    nameColumn,
    text('Status', 'The status of the node.', statusOf),
    text('Roles', 'The roles of the node.', rolesOf),
    ageColumn,
    text('Version', 'Berth version of the agent.', (object) => object.status?.nodeInfo?.kubeletVersion ?? ''),
    wide(text('Internal-IP', 'The address within the cluster.', (object) => addressOf(object, 'InternalIP'))),
    wide(text('External-IP', 'The address from outside.', (object) => addressOf(object, 'ExternalIP'))),
    wide(text('OS-Image', 'The operating system.', (object) => object.status?.nodeInfo?.osImage || '<unknown>')),
    wide(text('Kernel-Version', 'The version of the kernel.', (object) => object.status?.nodeInfo?.kernelVersion || '<unknown>')),
    wide(text('Container-Runtime', 'The container runtime.', (object) => object.status?.nodeInfo?.containerRuntimeVersion || '<unknown>')),
  ]),
  selectableFields: { 'spec.unschedulable': (object) => object.spec.unschedulable ?? false },
});

function statusOf(object: Node): string {
  const ready = object.status?.conditions?.find((condition) => condition.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (object.spec.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function rolesOf(object: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(object.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].toSorted().join(',');
}

function addressOf(object: Node, type: string): string {
  return object.status?.addresses?.find((address) => address.type === type)?.address ?? '<none>';
}
