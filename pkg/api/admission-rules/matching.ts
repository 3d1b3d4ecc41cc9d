/** Rules for what webhooks and admission policies are called for. */
import type { FieldErrors } from '../field-errors.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import type { MatchCondition, MatchResources, RuleWithOperations } from '../shapes/types/admissionregistration-v1.ts';

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];
const mostConditions = 64;

export function validateOperationRule(rule: RuleWithOperations, path: string, errors: FieldErrors): void {
  const given = rule.operations ?? [];
  if (given.length === 0) errors.required(`${path}.operations`);
  if (given.length > 1 && given.includes('*')) {
    errors.invalid(`${path}.operations`, given, "if '*' is present, must not specify other operations");
  }
  for (const [index, operation] of given.entries()) {
    if (!operations.includes(operation)) errors.notSupported(`${path}.operations[${index}]`, operation, operations);
  }
  validateStarred(rule.apiGroups ?? [], 'API groups', `${path}.apiGroups`, errors);
  const versions = rule.apiVersions ?? [];
  validateStarred(versions, 'API versions', `${path}.apiVersions`, errors);
  for (const [index, version] of versions.entries()) if (version === '') errors.required(`${path}.apiVersions[${index}]`);
  validateResources(rule.resources ?? [], `${path}.resources`, errors);
  if (rule.scope !== undefined && !scopes.includes(rule.scope)) errors.notSupported(`${path}.scope`, rule.scope, scopes);
}

function validateStarred(values: readonly string[], what: string, path: string, errors: FieldErrors): void {
  if (values.length === 0) errors.required(path);
  if (values.length > 1 && values.includes('*')) errors.invalid(path, values, `if '*' is present, must not specify other ${what}`);
}

function validateResources(resources: readonly string[], path: string, errors: FieldErrors): void {
  if (resources.length === 0) errors.required(path);
  const withSubresources = new Set<string>();
  const ofAny = new Set<string>();
  let hasAny = false;
  for (const [index, text] of resources.entries()) {
    const at = `${path}[${index}]`;
    const [resource = '', subresource] = text.split('/');
    if (text === '') {
      errors.required(at);
      continue;
    }
    if (subresource === '*') withSubresources.add(resource);
    if (resource === '*' && subresource !== undefined) ofAny.add(subresource);
    if (text === '*/*' && resources.length > 1) hasAny = true;
    if (subresource !== undefined && subresource !== '*' && withSubresources.has(resource) && resource !== '*') {
      errors.invalid(at, text, `if '${resource}/*' is present, must not specify ${text}`);
    }
    if (subresource !== undefined && resource !== '*' && ofAny.has(subresource) && subresource !== '*') {
      errors.invalid(at, text, `if '*/${subresource}' is present, must not specify ${text}`);
    }
  }
  if (hasAny) errors.invalid(path, resources, "if '*/*' is present, must not specify other resources");
  const plain = resources.filter((text) => !text.includes('/'));
  if (plain.length > 1 && plain.includes('*')) {
    errors.invalid(path, resources, "if '*' is present, must not specify other resources without subresources");
  }
}

export function validateMatchConditions(conditions: readonly MatchCondition[], path: string, errors: FieldErrors): void {
  if (conditions.length > mostConditions) errors.tooMany(path, conditions.length, mostConditions);
  const names = new Set<string>();
  for (const [index, { name, expression }] of conditions.entries()) {
    const at = `${path}[${index}]`;
    if (expression.trim() === '') errors.required(`${at}.expression`);
    if (name === '') errors.required(`${at}.name`);
    else if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
  }
}

export function validateMatchResources(match: MatchResources, path: string, errors: FieldErrors): void {
  if (match.namespaceSelector === undefined) errors.required(`${path}.namespaceSelector`);
  else validateLabelSelector(match.namespaceSelector, `${path}.namespaceSelector`, errors);
  if (match.objectSelector === undefined) errors.required(`${path}.objectSelector`);
  else validateLabelSelector(match.objectSelector, `${path}.objectSelector`, errors);
  for (const field of ['resourceRules', 'excludeResourceRules'] as const) {
    for (const [index, rule] of (match[field] ?? []).entries()) validateOperationRule(rule, `${path}.${field}[${index}]`, errors);
  }
  const policy = match.matchPolicy;
  if (policy !== undefined && policy !== 'Exact' && policy !== 'Equivalent') {
    errors.notSupported(`${path}.matchPolicy`, policy, ['Equivalent', 'Exact']);
  }
}

export function defaultMatchResources(match: MatchResources): void {
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}
