import { defineKind } from '../define-kind.ts';
import type { CustomResourceDefinition } from '../shapes/types/apiextensions-v1.ts';
import { createdAtColumns } from '../table-columns.ts';

export const customResourceDefinition = defineKind<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  description: 'A kind of your own.',
  supportNote: 'custom kinds are not served yet',
  columns: createdAtColumns,
});
