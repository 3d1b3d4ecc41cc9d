import { CronError, parseCronSchedule } from '../cron-schedule.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { defaultFailurePolicy } from '../job-spec/policies.ts';
import { validateJobSpec } from '../job-spec/validate.ts';
import { warnOfIndexes, warnOfName } from '../job-spec/warnings.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { formatLabelSelector } from '../selector.ts';
import type { CronJob } from '../shapes/types/batch-v1.ts';
import { ageColumn, ageOf, nameColumn, tableColumns, wide } from '../table-columns.ts';
import { isTimeZone } from '../time-zone.ts';

/** Eleven more are added for the name of each Job. */
const longestName = 52;
const policies = ['Allow', 'Forbid', 'Replace'];
const templatePath = 'spec.jobTemplate';

export const cronJob = defineKind<CronJob>({
  group: 'batch',
  kind: 'CronJob',
  description: 'Makes Jobs by a schedule.',
  support: 'acted on',
  defaults: ({ spec }) => {
    if ((spec.concurrencyPolicy ?? '') === '') spec.concurrencyPolicy = 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    defaultFailurePolicy(spec.jobTemplate.spec);
    defaultPodSpec(spec.jobTemplate.spec.template.spec);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    if (spec.schedule === '') errors.required('spec.schedule');
    else validateSchedule(spec.schedule, errors);
    requireNonNegative(spec.startingDeadlineSeconds, 'spec.startingDeadlineSeconds', errors);
    validateTimeZone(spec.timeZone, 'spec.timeZone', errors);
    const policy = spec.concurrencyPolicy ?? '';
    if (!policies.includes(policy)) errors.notSupported('spec.concurrencyPolicy', policy, policies);
    const { spec: template } = spec.jobTemplate;
    validateJobSpec(template, `${templatePath}.spec`, errors);
    if (template.selector !== undefined)
      errors.invalid(`${templatePath}.spec.selector`, template.selector, '`selector` will be auto-generated');
    if (template.manualSelector === true) errors.notSupported(`${templatePath}.spec.manualSelector`, true, ['nil', 'false']);
    requireNonNegative(spec.successfulJobsHistoryLimit, 'spec.successfulJobsHistoryLimit', errors);
    requireNonNegative(spec.failedJobsHistoryLimit, 'spec.failedJobsHistoryLimit', errors);
    return errors;
  },
  validateCreate: ({ metadata: { name = '' } }) => {
    const errors = new FieldErrors();
    if (name.length > longestName) errors.invalid('metadata.name', name, `must be no more than ${longestName} characters`);
    return errors;
  },
  warnings: ({ metadata, spec }, old) => {
    const path = `${templatePath}.spec.template.spec`;
    return [
      ...(old === undefined ? warnOfName(metadata.name ?? '') : []),
      ...(deepEqual(spec.jobTemplate, old?.spec.jobTemplate) ? [] : checkPodFields(spec.jobTemplate.spec.template.spec, path)),
      ...warnOfIndexes(spec.jobTemplate.spec, `${templatePath}.spec`),
    ];
  },
  columns: tableColumns<CronJob>([
    nameColumn,
    { name: 'Schedule', type: 'string', description: 'When jobs are made.', cell: ({ spec }) => spec.schedule },
    { name: 'Timezone', type: 'string', description: 'The time zone of the schedule.', cell: ({ spec }) => spec.timeZone ?? '<none>' },
    {
      name: 'Suspend',
      type: 'boolean',
      description: 'Whether no jobs are made for now.',
      cell: ({ spec }) => (spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'),
    },
    {
      name: 'Active',
      type: 'integer',
      description: 'How many of its jobs are running.',
      cell: ({ status }) => status?.active?.length ?? 0,
    },
    {
      name: 'Last Schedule',
      type: 'string',
      description: 'How long ago a job was last made.',
      cell: ({ status }, now) => (status?.lastScheduleTime === undefined ? '<none>' : ageOf(status.lastScheduleTime, now)),
    },
    ageColumn,
    wide({
      name: 'Containers',
      type: 'string',
      description: 'Names of the containers.',
      cell: ({ spec }) =>
        containersOf(spec)
          .map(({ name }) => name)
          .join(','),
    }),
    wide({
      name: 'Images',
      type: 'string',
      description: 'Images of the containers.',
      cell: ({ spec }) =>
        containersOf(spec)
          .map(({ image = '' }) => image)
          .join(','),
    }),
    wide({
      name: 'Selector',
      type: 'string',
      description: 'Which pods belong to its jobs.',
      cell: ({ spec }) => formatLabelSelector(spec.jobTemplate.spec.selector),
    }),
  ]),
});

function containersOf({ jobTemplate }: CronJob['spec']): CronJob['spec']['jobTemplate']['spec']['template']['spec']['containers'] {
  return jobTemplate.spec.template.spec.containers ?? [];
}

function validateSchedule(schedule: string, errors: FieldErrors): void {
  try {
    parseCronSchedule(withoutZone(schedule));
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    errors.invalid('spec.schedule', schedule, error.message);
  }
  if (schedule.includes('TZ')) {
    errors.invalid('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  }
}

/** Without a zone in front (`TZ=UTC …`), which is told apart. Throws `CronError` for one that there is not. */
function withoutZone(schedule: string): string {
  const [start = ''] = /^(?:CRON_)?TZ=[^ ]*/.exec(schedule) ?? [];
  if (start === '') return schedule;
  if (start === schedule) throw new CronError('invalid schedule format: there is nothing after the zone');
  const zone = start.slice(start.indexOf('=') + 1);
  if (!['', 'Local'].includes(zone) && !isTimeZone(zone)) throw new CronError(`provided bad location ${zone}: unknown time zone ${zone}`);
  return schedule.slice(start.length).trim();
}

function validateTimeZone(zone: string | undefined, path: string, errors: FieldErrors): void {
  if (zone === undefined) return;
  if (zone === '') {
    errors.invalid(path, zone, 'timeZone must be nil or non-empty string');
    return;
  }
  if (zone.toLowerCase() === 'local') {
    errors.invalid(path, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones');
    if (zone === 'Local') return;
  }
  if (!zone.split('/').every(isZonePart) || !isTimeZone(zone)) errors.invalid(path, zone, `unknown time zone ${zone}`);
}

function isZonePart(part: string): boolean {
  return part !== '.' && part !== '..' && /^(?!-)[A-Za-z._0-9+-]{1,14}$/.test(part);
}
