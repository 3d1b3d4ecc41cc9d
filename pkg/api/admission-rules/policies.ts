/** Rules that admission policies share: their parameters, variables and bindings. */
import type { FieldErrors } from '../field-errors.ts';
import type { TableColumns } from '../kind.ts';
import { checkDns1123Subdomain } from '../names.ts';
import type { KubernetesObject } from '../object.ts';
import { parseApiVersion } from '../object.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import type { ParamKind, ParamRef, Variable } from '../shapes/types/admissionregistration-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns } from '../table-columns.ts';

export function validateParamKind({ apiVersion = '', kind = '' }: ParamKind, path: string, errors: FieldErrors): void {
  if (apiVersion === '') errors.required(`${path}.apiVersion`);
  else {
    const { group, version } = parseApiVersion(apiVersion);
    if (version === '' || version.includes('/'))
      errors.invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
    else if (group !== '') for (const fault of checkDns1123Subdomain(group)) errors.invalid(`${path}.apiVersion`, group, fault);
  }
  if (kind === '') errors.required(`${path}.kind`);
}

export function validateParamRef({ name = '', selector, parameterNotFoundAction }: ParamRef, path: string, errors: FieldErrors): void {
  if (name !== '' && selector !== undefined) {
    errors.forbidden(`${path}.name`, 'name and selector are mutually exclusive');
  }
  if (name === '' && selector === undefined) errors.required(path, 'one of name or selector must be specified');
  if (name !== '') for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.name`, name, fault);
  if (selector !== undefined) validateLabelSelector(selector, `${path}.selector`, errors);
  if (parameterNotFoundAction === undefined) errors.required(`${path}.parameterNotFoundAction`);
  else if (parameterNotFoundAction !== 'Allow' && parameterNotFoundAction !== 'Deny') {
    errors.notSupported(`${path}.parameterNotFoundAction`, parameterNotFoundAction, ['Deny', 'Allow']);
  }
}

export function validateVariables(variables: readonly Variable[], path: string, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [index, { name, expression }] of variables.entries()) {
    const at = `${path}[${index}]`;
    if (name === '' || name.trim() === '') errors.required(`${at}.name`, 'name is not specified');
    else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name)) errors.invalid(`${at}.name`, name, 'name is not a valid CEL identifier');
    else if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
    if (expression.trim() === '') errors.required(`${at}.expression`, 'expression is not specified');
  }
}

interface Binding extends KubernetesObject {
  readonly spec: { readonly policyName?: string; readonly paramRef?: ParamRef };
}

export const policyBindingColumns: TableColumns<Binding> = tableColumns<Binding>([
  nameColumn,
  { name: 'PolicyName', type: 'string', description: 'The policy.', cell: ({ spec }) => spec.policyName ?? '' },
  {
    name: 'ParamRef',
    type: 'string',
    description: 'Its parameters.',
    cell: ({ spec: { paramRef } }) => {
      if (paramRef === undefined) return '<unset>';
      if (paramRef.selector !== undefined) return '*';
      return paramRef.namespace === undefined ? (paramRef.name ?? '') : `${paramRef.namespace}/${paramRef.name ?? ''}`;
    },
  },
  ageColumn,
]);

interface Policy extends KubernetesObject {
  readonly spec: { readonly paramKind?: ParamKind };
}

export const paramKindColumn: FilledColumn<Policy> = {
  name: 'ParamKind',
  type: 'string',
  description: 'What its parameters are.',
  cell: ({ spec: { paramKind } }) => (paramKind === undefined ? '<unset>' : `${paramKind.apiVersion ?? ''}/${paramKind.kind ?? ''}`),
};
