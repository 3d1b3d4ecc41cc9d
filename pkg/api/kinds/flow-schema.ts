import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import type { FlowSchema, PolicyRulesWithSubjects, Subject } from '../shapes/types/flowcontrol-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const highestPrecedence = 10_000;

export const flowSchema = defineKind<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'FlowSchema',
  description: 'Which requests belong to which priority level.',
  defaults: ({ spec }) => {
    if ((spec.matchingPrecedence ?? 0) === 0) spec.matchingPrecedence = 1000;
  },
  validate: ({ metadata, spec }) => {
    const errors = new FieldErrors();
    const { matchingPrecedence = 0, distinguisherMethod, priorityLevelConfiguration } = spec;
    const at = 'spec.matchingPrecedence';
    if (matchingPrecedence <= 0) errors.invalid(at, matchingPrecedence, 'must be a positive value');
    if (matchingPrecedence > highestPrecedence) errors.invalid(at, matchingPrecedence, `must not be greater than ${highestPrecedence}`);
    if (matchingPrecedence === 1 && metadata.name !== 'exempt') {
      errors.invalid(at, matchingPrecedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    }
    if (distinguisherMethod !== undefined && !['ByNamespace', 'ByUser'].includes(distinguisherMethod.type)) {
      errors.notSupported('spec.distinguisherMethod', distinguisherMethod.type, ['ByNamespace', 'ByUser']);
    }
    const { name } = priorityLevelConfiguration;
    if (name === '') errors.required('spec.priorityLevelConfiguration.name', 'must reference a priority level');
    else for (const fault of checkDns1123Subdomain(name)) errors.invalid('spec.priorityLevelConfiguration.name', name, fault);
    for (const [index, rule] of (spec.rules ?? []).entries()) validateRule(rule, `spec.rules[${index}]`, errors);
    return errors;
  },
  columns: tableColumns<FlowSchema>([
    nameColumn,
    {
      name: 'PriorityLevel',
      type: 'string',
      description: 'The priority level.',
      cell: ({ spec }) => spec.priorityLevelConfiguration.name,
    },
    {
      name: 'MatchingPrecedence',
      type: 'string',
      description: 'The lower, the sooner it is asked.',
      cell: ({ spec }) => spec.matchingPrecedence ?? 0,
    },
    {
      name: 'DistinguisherMethod',
      type: 'string',
      description: 'What tells flows apart.',
      cell: ({ spec }) => spec.distinguisherMethod?.type ?? '<none>',
    },
    ageColumn,
    {
      name: 'MissingPL',
      type: 'string',
      description: 'Whether its priority level does not exist.',
      cell: ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
    },
  ]),
});

function validateRule(
  { subjects = [], resourceRules = [], nonResourceRules = [] }: PolicyRulesWithSubjects,
  path: string,
  errors: FieldErrors,
): void {
  if (subjects.length === 0) errors.required(`${path}.subjects`, 'subjects must contain at least one value');
  for (const [index, subject] of subjects.entries()) validateSubject(subject, `${path}.subjects[${index}]`, errors);
  if (resourceRules.length + nonResourceRules.length === 0) {
    errors.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty');
  }
  for (const [index, { verbs, apiGroups, resources, namespaces = [], clusterScope }] of resourceRules.entries()) {
    const at = `${path}.resourceRules[${index}]`;
    requireSome(verbs, `${at}.verbs`, 'verbs must contain at least one value', errors);
    requireSome(apiGroups, `${at}.apiGroups`, 'resource rules must supply at least one api group', errors);
    requireSome(resources, `${at}.resources`, 'resource rules must supply at least one resource', errors);
    if (namespaces.length === 0 && clusterScope !== true) {
      errors.required(`${at}.namespaces`, 'resource rules that are not cluster scoped must supply at least one namespace');
    }
  }
  for (const [index, { verbs, nonResourceURLs }] of nonResourceRules.entries()) {
    const at = `${path}.nonResourceRules[${index}]`;
    requireSome(verbs, `${at}.verbs`, 'verbs must contain at least one value', errors);
    requireSome(nonResourceURLs, `${at}.nonResourceURLs`, 'nonResourceURLs must contain at least one value', errors);
  }
}

function requireSome(values: readonly string[] | undefined, path: string, detail: string, errors: FieldErrors): void {
  if ((values ?? []).length === 0) errors.required(path, detail);
}

function validateSubject({ kind, user, group, serviceAccount }: Subject, path: string, errors: FieldErrors): void {
  const parts = { User: ['user', user], Group: ['group', group], ServiceAccount: ['serviceAccount', serviceAccount] } as const;
  if (!Object.hasOwn(parts, kind)) {
    errors.notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User']);
    return;
  }
  for (const [of, [field, part]] of Object.entries(parts)) {
    if (of === kind) {
      if (part === undefined) errors.required(`${path}.${field}`, `${field} is required when subject kind is '${of}'`);
      else if (part.name === '') errors.required(`${path}.${field}.name`);
    } else if (part !== undefined) errors.forbidden(`${path}.${field}`, `${field} is forbidden when subject kind is not '${of}'`);
  }
}
