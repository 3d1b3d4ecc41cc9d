import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import type { SelectableFields } from '../kind.ts';
import { checkQualifiedName } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { Event, ObjectReference } from '../shapes/types/core-v1.ts';
import type { Event as EventOfEventsGroup } from '../shapes/types/events-v1.ts';
import { ageOf, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';

const text = (name: string, description: string, cell: FilledColumn<Event>['cell']): FilledColumn<Event> => ({
  name,
  type: 'string',
  description,
  cell,
});

const fixedFields = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const satisfies readonly (keyof Event)[];
const longestWord = 128;
const longestMessage = 1024;

/** One stored form (core's), served in two groups. */
export const event = defineKind<Event>({
  group: '',
  kind: 'Event',
  description: 'Something that happened to an object.',
  support: 'acted on',
  supportNote: 'kept for a while',
  versions: [
    { version: 'v1', typeName: 'core.v1.Event' },
    {
      group: 'events.k8s.io',
      version: 'v1',
      typeName: 'events.v1.Event',
      toStored: (object) => toCore(object as EventOfEventsGroup),
      fromStored: toEventsGroup,
      validate: validateStrictly,
      selectableFields: {
        ...referenceFields('regarding'),
        reason: (object) => object.reason,
        reportingController: (object) => object.reportingComponent,
        type: (object) => object.type,
      },
    },
  ],
  validate: (object) => {
    const errors = new FieldErrors();
    const { namespace = 'default' } = object.metadata;
    const given = object.involvedObject.namespace ?? '';
    const isNew = object.eventTime !== undefined;
    const matches = given === '' ? namespace === 'default' || (isNew && namespace === 'kube-system') : isNew || given === namespace;
    if (!matches) errors.invalid('involvedObject.namespace', given, 'does not match event.namespace');
    if (isNew) validateReport(object, errors);
    return errors;
  },
  columns: tableColumns<Event>([
    text('Last Seen', 'When it happened last.', lastSeen),
    text('Type', 'Normal or Warning.', (object) => object.type ?? ''),
    text('Reason', 'Why it happened, in a word.', (object) => object.reason ?? ''),
    text('Object', 'What it happened to.', ({ involvedObject: { kind = '', name = '' } }) =>
      name === '' ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`,
    ),
    wide(text('Subobject', 'The part it happened to.', (object) => object.involvedObject.fieldPath ?? '')),
    wide(text('Source', 'Who reported it.', sourceOf)),
    text('Message', 'What happened.', (object) => (object.message ?? '').trim()),
    wide(text('First Seen', 'When it happened first.', firstSeen)),
    wide(text('Count', 'How often it happened.', (object) => object.series?.count ?? (object.count || 1))),
    wide(nameColumn),
  ]),
  selectableFields: {
    ...referenceFields('involvedObject'),
    reason: (object) => object.reason,
    reportingComponent: (object) => object.reportingComponent,
    source: (object) => object.source?.component || object.reportingComponent,
    type: (object) => object.type,
  },
});

/** Who reports in the newer way says more: who, what was done and why. */
function validateReport(
  { reportingComponent = '', reportingInstance = '', action = '', reason = '', message = '' }: Event,
  errors: FieldErrors,
): void {
  if (reportingComponent === '') errors.required('reportingController');
  for (const fault of checkQualifiedName(reportingComponent)) errors.invalid('reportingController', reportingComponent, fault);
  for (const [field, value] of Object.entries({ reportingInstance, action, reason })) {
    if (value === '') errors.required(field);
    if (Buffer.byteLength(value) > longestWord) errors.invalid(field, '', `can have at most ${longestWord} characters`);
  }
  if (Buffer.byteLength(message) > longestMessage) errors.invalid('message', '', `can have at most ${longestMessage} characters`);
}

/** The newer group takes what is reported in the newer way alone, and of that only the series may change. */
function validateStrictly(object: Event, old: Event | undefined): FieldErrors {
  const errors = new FieldErrors();
  if (!deepEqual(object.series, old?.series)) {
    if (object.series !== undefined && (object.series.count ?? 0) < 2) errors.invalid('series.count', '', 'should be at least 2');
    if (object.series !== undefined && object.series.lastObservedTime === undefined) errors.required('series.lastObservedTime');
  }
  if (old !== undefined) {
    for (const field of fixedFields) requireUnchanged(deepEqual(object[field], old[field]), field, object[field], errors);
    return errors;
  }
  if (object.eventTime === undefined) errors.required('eventTime');
  const { type = '', count = 0, source = {} } = object;
  if (type !== 'Normal' && type !== 'Warning') errors.invalid('type', '', `has invalid value: ${type}`);
  for (const field of ['firstTimestamp', 'lastTimestamp'] as const) {
    if (object[field] !== undefined) errors.invalid(field, '', 'needs to be unset');
  }
  if (count !== 0) errors.invalid('count', '', 'needs to be unset');
  if ((source.component ?? '') !== '' || (source.host ?? '') !== '') errors.invalid('source', '', 'needs to be unset');
  return errors;
}

function referenceFields(prefix: string): SelectableFields<Event> {
  const names = [
    'kind',
    'namespace',
    'name',
    'uid',
    'apiVersion',
    'resourceVersion',
    'fieldPath',
  ] as const satisfies readonly (keyof ObjectReference)[];
  return Object.fromEntries(names.map((name) => [`${prefix}.${name}`, (object: Event) => object.involvedObject[name]]));
}

function firstSeen(object: Event, now: number): string {
  return ageOf(object.firstTimestamp ?? object.eventTime, now);
}

function lastSeen(object: Event, now: number): string {
  return ageOf(object.series?.lastObservedTime ?? object.lastTimestamp ?? object.firstTimestamp ?? object.eventTime, now);
}

function sourceOf(object: Event): string {
  const component = object.source?.component || object.reportingComponent || '';
  const host = object.source?.host || object.reportingInstance || '';
  return host === '' ? component : `${component}, ${host}`;
}

/** Fields that the two groups name differently: core's, then the events group's. */
const renamed = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;

function toCore(object: EventOfEventsGroup): Event {
  const fields: Record<string, unknown> = { ...object, apiVersion: 'v1' };
  for (const [core, other] of renamed) move(fields, other, core);
  fields.involvedObject ??= {};
  fields.reportingComponent ??= '';
  fields.reportingInstance ??= '';
  return fields as unknown as Event;
}

function toEventsGroup(object: Event): EventOfEventsGroup {
  const fields: Record<string, unknown> = { ...object, apiVersion: 'events.k8s.io/v1' };
  for (const [core, other] of renamed) move(fields, core, other);
  for (const name of ['reportingController', 'reportingInstance']) if (fields[name] === '') delete fields[name];
  return fields as unknown as EventOfEventsGroup;
}

function move(fields: Record<string, unknown>, from: string, to: string): void {
  if (fields[from] !== undefined) fields[to] = fields[from];
  delete fields[from];
}
