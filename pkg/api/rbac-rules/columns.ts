import type { KubernetesObject } from '../object.ts';
import type { RoleRef, Subject } from '../shapes/types/rbac-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';

interface Binding extends KubernetesObject {
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}

const subjects = (name: string, kind: string, description: string): FilledColumn<Binding> =>
  wide({
    name,
    type: 'string',
    description,
    cell: (binding) =>
      (binding.subjects ?? [])
        .filter((subject) => subject.kind === kind)
        .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name))
        .join(', '),
  });

export const bindingColumns = tableColumns<Binding>([
  nameColumn,
  { name: 'Role', type: 'string', description: 'What is allowed.', cell: ({ roleRef }) => `${roleRef.kind}/${roleRef.name}` },
  ageColumn,
  subjects('Users', 'User', 'Users to whom it is allowed.'),
  subjects('Groups', 'Group', 'Groups to whom it is allowed.'),
  subjects('ServiceAccounts', 'ServiceAccount', 'Service accounts to whom it is allowed.'),
]);
