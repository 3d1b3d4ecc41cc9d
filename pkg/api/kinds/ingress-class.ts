import { defineKind } from '../define-kind.ts';
import { validateDomainPath } from '../domain-path.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkPathSegment } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { IngressClass, IngressClassParametersReference } from '../shapes/types/networking-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const longestController = 250;
const scopes = ['Cluster', 'Namespace'];

export const ingressClass = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  kind: 'IngressClass',
  description: 'Which controller serves an Ingress.',
  support: 'stored only',
  supportNote: 'Berth has no ingress controller; one that runs in the cluster reads them',
  changesGeneration: (object, old) => !deepEqual(object.spec, old.spec),
  defaults: ({ spec }) => {
    if (spec.parameters !== undefined) spec.parameters.scope ??= 'Cluster';
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const controller = spec.controller ?? '';
    if (controller.length > longestController) errors.tooLong('spec.controller', longestController);
    validateDomainPath(controller, 'spec.controller', errors);
    if (spec.parameters !== undefined) validateParameters(spec.parameters, 'spec.parameters', errors);
    return errors;
  },
  tellsChangeFirst: true,
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(object.spec.controller === old.spec.controller, 'spec.controller', object.spec.controller, errors);
    return errors;
  },
  columns: tableColumns<IngressClass>([
    nameColumn,
    { name: 'Controller', type: 'string', description: 'The controller.', cell: ({ spec }) => spec.controller ?? '' },
    {
      name: 'Parameters',
      type: 'string',
      description: 'Where its settings are.',
      cell: ({ spec }) => {
        if (spec.parameters === undefined) return '<none>';
        const { apiGroup, kind, name } = spec.parameters;
        return `${apiGroup === undefined ? kind : `${kind}.${apiGroup}`}/${name}`;
      },
    },
    ageColumn,
  ]),
});

export function validateLocalReference(
  { apiGroup, kind, name }: { readonly apiGroup?: string; readonly kind: string; readonly name: string },
  path: string,
  errors: FieldErrors,
): void {
  if (apiGroup !== undefined) for (const fault of checkDns1123Subdomain(apiGroup)) errors.invalid(`${path}.apiGroup`, apiGroup, fault);
  if (kind === '') errors.required(`${path}.kind`, 'kind is required');
  else for (const fault of checkPathSegment(kind)) errors.invalid(`${path}.kind`, kind, fault);
  if (name === '') errors.required(`${path}.name`, 'name is required');
  else for (const fault of checkPathSegment(name)) errors.invalid(`${path}.name`, name, fault);
}

function validateParameters(parameters: IngressClassParametersReference, path: string, errors: FieldErrors): void {
  validateLocalReference(parameters, path, errors);
  const { scope, namespace } = parameters;
  if (scope === undefined) errors.required(`${path}.scope`);
  else if (!scopes.includes(scope)) errors.notSupported(`${path}.scope`, scope, scopes);
  else if (scope === 'Namespace') {
    if (namespace === undefined) errors.required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'");
    else for (const fault of checkDns1123Label(namespace)) errors.invalid(`${path}.namespace`, namespace, fault);
  } else if (namespace !== undefined) errors.forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'");
}
