import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import type {
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../shapes/types/flowcontrol-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns } from '../table-columns.ts';

const queuing = (name: string, field: keyof QueuingConfiguration, description: string): FilledColumn<PriorityLevelConfiguration> => ({
  name,
  type: 'string',
  description,
  cell: ({ spec }) => spec.limited?.limitResponse?.queuing?.[field] ?? '<none>',
});

export const priorityLevelConfiguration = defineKind<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'PriorityLevelConfiguration',
  description: 'How many requests of one priority are served at once.',
  defaults: ({ spec }) => {
    const { exempt, limited } = spec;
    if (exempt !== undefined) {
      exempt.nominalConcurrencyShares ??= 0;
      exempt.lendablePercent ??= 0;
    }
    if (limited === undefined) return;
    limited.nominalConcurrencyShares ??= 30;
    limited.lendablePercent ??= 0;
    if (limited.limitResponse?.type !== 'Queue') return;
    limited.limitResponse.queuing ??= {};
    const queue = limited.limitResponse.queuing;
    queue.queues ||= 64;
    queue.handSize ||= 8;
    queue.queueLengthLimit ||= 50;
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { type, exempt, limited } = spec;
    if (type === 'Exempt') {
      if (limited !== undefined) errors.forbidden('spec.limited', 'must be nil if the type is not Limited');
      validatePercent(exempt?.lendablePercent, 'spec.exempt.lendablePercent', errors);
    } else if (type === 'Limited') {
      if (exempt !== undefined) errors.forbidden('spec.exempt', 'must be nil if the type is Limited');
      if (limited === undefined) errors.required('spec.limited', 'must not be empty when type is Limited');
      else validateLimited(limited, 'spec.limited', errors);
    } else errors.notSupported('spec.type', type, ['Exempt', 'Limited']);
    return errors;
  },
  columns: tableColumns<PriorityLevelConfiguration>([
    nameColumn,
    { name: 'Type', type: 'string', description: 'Whether it is limited.', cell: ({ spec }) => spec.type },
    {
      name: 'NominalConcurrencyShares',
      type: 'string',
      description: 'Its share of what is served at once.',
      cell: ({ spec }) => spec.limited?.nominalConcurrencyShares ?? '<none>',
    },
    queuing('Queues', 'queues', 'How many queues it has.'),
    queuing('HandSize', 'handSize', 'How many queues a flow may use.'),
    queuing('QueueLengthLimit', 'queueLengthLimit', 'How many requests a queue holds.'),
    ageColumn,
  ]),
});

function validatePercent(value: number | undefined, path: string, errors: FieldErrors): void {
  if (value !== undefined && (value < 0 || value > 100)) errors.invalid(path, value, 'must be between 0 and 100, inclusive');
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string, errors: FieldErrors): void {
  const { nominalConcurrencyShares = 0, borrowingLimitPercent, lendablePercent, limitResponse } = limited;
  if (nominalConcurrencyShares < 0) {
    errors.invalid(`${path}.nominalConcurrencyShares`, nominalConcurrencyShares, 'must be a non-negative integer');
  }
  const at = `${path}.limitResponse`;
  const { type = '', queuing: queue } = limitResponse ?? {};
  if (type === 'Reject') {
    if (queue !== undefined) errors.forbidden(`${at}.queuing`, 'must be nil if limited.limitResponse.type is not Limited');
  } else if (type === 'Queue') {
    if (queue === undefined) errors.required(`${at}.queuing`, 'must not be empty if limited.limitResponse.type is Limited');
    for (const field of ['queueLengthLimit', 'queues', 'handSize'] as const) {
      const value = queue?.[field] ?? 0;
      if (queue !== undefined && value <= 0) errors.invalid(`${at}.queuing.${field}`, value, 'must be positive');
    }
    const { handSize = 0, queues = 0 } = queue ?? {};
    if (handSize > queues) errors.invalid(`${at}.queuing.handSize`, handSize, `should not be greater than queues (${queues})`);
  } else errors.notSupported(`${at}.type`, type, ['Queue', 'Reject']);
  if (borrowingLimitPercent !== undefined && borrowingLimitPercent < 0) {
    errors.invalid(`${path}.borrowingLimitPercent`, borrowingLimitPercent, 'if specified, must be a non-negative integer');
  }
  validatePercent(lendablePercent, `${path}.lendablePercent`, errors);
}
