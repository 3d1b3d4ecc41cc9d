import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import { validateQuantityNotNegative } from '../pod-spec/checks.ts';
import { parseQuantity } from '../quantity.ts';
import {
  isPlainScope,
  isQuotaScope,
  isScopeFor,
  isStandardQuotaResource,
  isWholeResource,
  validateQuotaResourceName,
} from '../resource-policies/names.ts';
import type { ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../shapes/types/core-v1.ts';
import { statusSubresource } from '../subresources.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns } from '../table-columns.ts';

const conflicting = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

const amounts = (name: string, description: string, isIn: (resource: string) => boolean): FilledColumn<ResourceQuota> => ({
  name,
  type: 'string',
  description,
  cell: ({ spec, status }) =>
    Object.keys(status?.hard ?? spec.hard ?? {})
      .filter(isIn)
      .toSorted()
      .map((resource) => `${resource}: ${status?.used?.[resource] ?? '0'}/${(status?.hard ?? spec.hard)?.[resource] ?? '0'}`)
      .join(', '),
});

const isLimit = (resource: string): boolean => resource.startsWith('limits.');

export const resourceQuota = defineKind<ResourceQuota>({
  group: '',
  kind: 'ResourceQuota',
  description: 'Bounds for what a namespace may use altogether.',
  support: 'acted on',
  supportNote: 'by admission, exactly, however many create at once',
  changesGeneration: undefined,
  subresources: [
    {
      ...statusSubresource<ResourceQuota>({ group: '', version: 'v1', kind: 'ResourceQuota' }, 'core.v1.ResourceQuota'),
      validate: ({ status }) => {
        const errors = new FieldErrors();
        validateAmounts(status?.hard, 'status.hard', errors);
        validateAmounts(status?.used, 'status.used', errors);
        return errors;
      },
    },
  ],
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateAmounts(spec.hard, 'spec.hard', errors);
    validateScopes(spec, errors);
    validateScopeSelector(spec, errors);
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old }) => {
    const errors = new FieldErrors();
    const [now, before] = [new Set(spec.scopes ?? []), new Set(old.scopes ?? [])];
    const isEqual = now.size === before.size && [...now].every((scope) => before.has(scope));
    requireUnchanged(isEqual, 'spec.scopes', spec.scopes, errors);
    return errors;
  },
  columns: tableColumns<ResourceQuota>([
    nameColumn,
    amounts('Request', 'What is used, of how much.', (resource) => !isLimit(resource)),
    amounts('Limit', 'What limits add up to, of how much.', isLimit),
    ageColumn,
  ]),
});

function validateAmounts(hard: Readonly<Record<string, string>> | undefined, path: string, errors: FieldErrors): void {
  for (const [name, value] of Object.entries(hard ?? {})) {
    const at = `${path}[${name}]`;
    validateQuotaResourceName(name, at, errors);
    validateQuantityNotNegative(value, at, errors);
    if (isWholeResource(name) && parseQuantity(value).nano % 1_000_000_000n !== 0n) errors.invalid(at, value, 'must be an integer');
  }
}

function validateScopes({ scopes = [], hard = {} }: ResourceQuotaSpec, errors: FieldErrors): void {
  const path = 'spec.scopes';
  for (const scope of scopes) {
    if (!isQuotaScope(scope)) errors.invalid(path, scopes, 'unsupported scope');
    for (const resource of Object.keys(hard)) {
      if (isStandardQuotaResource(resource) && !isScopeFor(scope, resource)) {
        errors.invalid(path, scopes, 'unsupported scope applied to resource');
      }
    }
  }
  if (conflicting.some((pair) => pair.every((scope) => scopes.includes(scope)))) errors.invalid(path, scopes, 'conflicting scopes');
}

function validateScopeSelector({ scopeSelector, hard = {} }: ResourceQuotaSpec, errors: FieldErrors): void {
  if (scopeSelector === undefined) return;
  const path = 'spec.scopeSelector.matchExpressions';
  const requirements = scopeSelector.matchExpressions ?? [];
  for (const requirement of requirements) {
    const { scopeName } = requirement;
    if (!isQuotaScope(scopeName)) errors.invalid(`${path}.scopeName`, scopeName, 'unsupported scope');
    for (const resource of Object.keys(hard)) {
      if (isStandardQuotaResource(resource) && !isScopeFor(scopeName, resource)) {
        errors.invalid(path, scopeSelector, 'unsupported scope applied to resource');
      }
    }
    validateRequirement(requirement, path, errors);
  }
  const names = requirements.map(({ scopeName }) => scopeName);
  if (conflicting.some((pair) => pair.every((scope) => names.includes(scope)))) errors.invalid(path, scopeSelector, 'conflicting scopes');
}

function validateRequirement(
  { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement,
  path: string,
  errors: FieldErrors,
): void {
  if (isPlainScope(scopeName) && operator !== 'Exists') {
    errors.invalid(
      `${path}.operator`,
      operator,
      "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
    );
  }
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) {
      errors.required(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.invalid(`${path}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
    }
  } else errors.invalid(`${path}.operator`, operator, 'not a valid selector operator');
}
