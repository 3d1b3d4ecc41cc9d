import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label } from '../names.ts';
import type { Stack, StackServiceStatus } from '../shapes/types/compose-v1alpha1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

/** Compose's own rule. */
const serviceName = /^[a-zA-Z0-9._-]{1,63}$/;

export const stack = defineKind<Stack>({
  group: 'compose.berth.dev',
  kind: 'Stack',
  description: 'A Compose project: its spec is the canonical Compose model.',
  support: 'acted on',
  nameRule: checkDns1123Label,
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { services } = spec ?? {};
    if (services === undefined) errors.required('spec.services', 'a stack has at least one service');
    else if (!isObject(services)) errors.invalid('spec.services', services, 'must be an object of services by name');
    else {
      const entries = Object.entries(services);
      if (entries.length === 0) errors.required('spec.services', 'a stack has at least one service');
      for (const [name, service] of entries) {
        const at = `spec.services[${name}]`;
        if (!serviceName.test(name)) {
          errors.invalid(
            'spec.services',
            name,
            "the name of a service must consist of at most 63 alphanumeric characters, '-', '_' or '.'",
          );
        }
        if (!isObject(service)) errors.invalid(at, service, 'must be an object');
      }
    }
    return errors;
  },
  columns: tableColumns<Stack>([
    nameColumn,
    { name: 'Services', type: 'string', description: 'How many services are as they should be, of how many.', cell: servicesCell },
    {
      name: 'Status',
      type: 'string',
      description: 'How the stack does as a whole.',
      cell: ({ metadata, status }) => (metadata.deletionTimestamp === undefined ? (status?.phase ?? 'Pending') : 'Terminating'),
    },
    ageColumn,
  ]),
  selectableFields: { 'status.phase': ({ status }) => status?.phase },
});

function servicesCell({ spec, status }: Stack): string {
  const total = isObject(spec.services) ? Object.keys(spec.services).length : 0;
  return `${(status?.services ?? []).filter(isSettled).length}/${total}`;
}

/** All replicas are ready or have completed. */
function isSettled(service: StackServiceStatus): boolean {
  return service.ready + (service.completed ?? 0) >= service.desired;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
