import { defineKind } from '../define-kind.ts';
import { checkPathSegment } from '../names.ts';
import type { RoleBinding } from '../shapes/types/rbac-v1.ts';

/** Its name may have colons: `system:…`. */
export const roleBinding = defineKind<RoleBinding>({ group: 'rbac.authorization.k8s.io', kind: 'RoleBinding', nameRule: checkPathSegment });
