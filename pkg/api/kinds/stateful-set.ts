import { amountOf, validateAmount, validateNotMoreThanAll } from '../amounts.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label } from '../names.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { templateColumns } from '../pod-spec/template-columns.ts';
import { requireEndless, requireSelected, validateTemplate } from '../pod-spec/validate.ts';
import { validateCounts, validateWorkloadSelector } from '../pod-spec/workload.ts';
import type { StatefulSet, StatefulSetSpec, StatefulSetStatus } from '../shapes/types/apps-v1.ts';
import type { PodTemplateSpec } from '../shapes/types/core-v1.ts';
import { scaleSubresource, statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const templatePath = 'spec.template';
const retention = ['Retain', 'Delete'];
const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

export const statefulSet = defineKind<StatefulSet>({
  group: 'apps',
  kind: 'StatefulSet',
  description: 'Keeps numbered pods, each with its own name and volumes.',
  support: 'acted on',
  nameRule: checkDns1123Label,
  subresources: [
    {
      ...statusSubresource<StatefulSet>({ group: 'apps', version: 'v1', kind: 'StatefulSet' }, 'apps.v1.StatefulSet'),
      validate: (object, old) => {
        const errors = new FieldErrors();
        validateStatus(object.status, old.status, errors);
        return errors;
      },
    },
    scaleSubresource<StatefulSet>(),
  ],
  defaults: ({ spec }) => {
    spec.podManagementPolicy ??= 'OrderedReady';
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ??= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.partition ??= 0;
    }
    spec.persistentVolumeClaimRetentionPolicy ??= {};
    spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= 'Retain';
    spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= 'Retain';
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion ??= 'v1';
      claim.kind ??= 'PersistentVolumeClaim';
      claim.spec.volumeMode ??= 'Filesystem';
      claim.status ??= {};
      claim.status.phase ??= 'Pending';
    }
    defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateManagement(spec, errors);
    validateCounts(spec, errors);
    requireNonNegative(spec.ordinals?.start, 'spec.ordinals.start', errors);
    const service = spec.serviceName ?? '';
    if (service !== '') for (const fault of checkDns1123Label(service)) errors.invalid('spec.serviceName', service, fault);
    const selector = validateWorkloadSelector(spec.selector, 'statefulset', errors);
    requireSelected(spec.template, selector, templatePath, errors);
    validateTemplate(withClaims(spec), templatePath, errors);
    checkPodFields(spec.template.spec, `${templatePath}.spec`, errors);
    requireEndless(spec.template, 'StatefulSet', templatePath, errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    if (!deepEqual(fixedPart(object.spec), fixedPart(old.spec))) {
      errors.forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
    }
    return errors;
  },
  warnings: (object, old) =>
    deepEqual(object.spec.template, old?.spec.template) ? [] : checkPodFields(object.spec.template.spec, `${templatePath}.spec`),
  columns: tableColumns<StatefulSet>([
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'How many pods are ready, of how many.',
      cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    },
    ageColumn,
    ...templateColumns.filter(({ name }) => name !== 'Selector'),
  ]),
});

function fixedPart(spec: StatefulSetSpec): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !changeable.includes(field)));
}

function validateManagement({ podManagementPolicy = '', updateStrategy = {}, ...spec }: StatefulSetSpec, errors: FieldErrors): void {
  if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel') {
    errors.invalid('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'");
  }
  const path = 'spec.updateStrategy';
  const { type, rollingUpdate } = updateStrategy;
  if (type === 'OnDelete') {
    if (rollingUpdate !== undefined) {
      errors.invalid(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'");
    }
  } else if (type === 'RollingUpdate') {
    const { partition, maxUnavailable } = rollingUpdate ?? {};
    const at = `${path}.rollingUpdate.maxUnavailable`;
    requireNonNegative(partition, `${path}.rollingUpdate.partition`, errors);
    validateAmount(maxUnavailable, at, errors);
    if (maxUnavailable !== undefined && (amountOf(maxUnavailable) ?? 0) === 0) errors.invalid(at, maxUnavailable, 'cannot be 0');
    validateNotMoreThanAll(maxUnavailable, at, errors);
  } else errors.invalid(path, updateStrategy, "must be 'RollingUpdate' or 'OnDelete'");
  const policy = spec.persistentVolumeClaimRetentionPolicy ?? {};
  for (const field of ['whenDeleted', 'whenScaled'] as const) {
    const value = policy[field] ?? '';
    if (!retention.includes(value)) errors.notSupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, value, retention);
  }
}

/** The template as its pods will have it: with a volume for each claim. */
function withClaims({ template, volumeClaimTemplates = [] }: StatefulSetSpec): PodTemplateSpec {
  const names = new Set(volumeClaimTemplates.map(({ metadata }) => metadata.name ?? ''));
  const volumes = (template.spec.volumes ?? []).filter(({ name }) => !names.has(name));
  const claimed = [...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...template.spec, volumes: [...volumes, ...claimed] } };
}

function validateStatus(status: StatefulSetStatus | undefined, before: StatefulSetStatus | undefined, errors: FieldErrors): void {
  const fields = ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const;
  for (const field of [...fields, 'observedGeneration', 'collisionCount'] as const) {
    requireNonNegative(status?.[field], `status.${field}`, errors);
  }
  for (const field of fields) {
    const value = status?.[field] ?? 0;
    if (value > (status?.replicas ?? 0)) errors.invalid(`status.${field}`, value, 'cannot be greater than status.replicas');
  }
  const available = status?.availableReplicas ?? 0;
  if (available > (status?.readyReplicas ?? 0)) {
    errors.invalid('status.availableReplicas', available, 'cannot be greater than status.readyReplicas');
  }
  if ((status?.collisionCount ?? 0) < (before?.collisionCount ?? 0)) {
    errors.invalid('status.collisionCount', status?.collisionCount ?? 0, 'cannot be decremented');
  }
}
