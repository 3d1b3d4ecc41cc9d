import { validateAmount, validateNotMoreThanAll } from '../amounts.ts';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireNonNegative, requireOneOf } from '../pod-spec/checks.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import type { PodDisruptionBudget } from '../shapes/types/policy-v1.ts';
import { statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const counts = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;

export const podDisruptionBudget = defineKind<PodDisruptionBudget>({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  description: 'How many pods of a set may be evicted at once.',
  support: 'acted on',
  supportNote: 'evictions (kubectl drain) are held to it',
  subresources: [
    {
      ...statusSubresource<PodDisruptionBudget>(
        { group: 'policy', version: 'v1', kind: 'PodDisruptionBudget' },
        'policy.v1.PodDisruptionBudget',
      ),
      validate: ({ status }) => {
        const errors = new FieldErrors();
        for (const field of counts) requireNonNegative(status?.[field], `status.${field}`, errors);
        return errors;
      },
    },
  ],
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
    if (minAvailable !== undefined && maxUnavailable !== undefined) {
      errors.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set');
    }
    validateAmount(minAvailable, 'spec.minAvailable', errors);
    validateNotMoreThanAll(minAvailable, 'spec.minAvailable', errors);
    validateAmount(maxUnavailable, 'spec.maxUnavailable', errors);
    validateNotMoreThanAll(maxUnavailable, 'spec.maxUnavailable', errors);
    if (selector !== undefined) validateLabelSelector(selector, 'spec.selector', errors);
    requireOneOf(unhealthyPodEvictionPolicy, 'spec.unhealthyPodEvictionPolicy', ['AlwaysAllow', 'IfHealthyBudget'], errors);
    return errors;
  },
  columns: tableColumns<PodDisruptionBudget>([
    nameColumn,
    {
      name: 'Min Available',
      type: 'string',
      description: 'How many pods must stay available.',
      cell: ({ spec }) => String(spec.minAvailable ?? 'N/A'),
    },
    {
      name: 'Max Unavailable',
      type: 'string',
      description: 'How many pods may be away.',
      cell: ({ spec }) => String(spec.maxUnavailable ?? 'N/A'),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'How many pods may be evicted now.',
      cell: ({ status }) => status?.disruptionsAllowed ?? 0,
    },
    ageColumn,
  ]),
});
