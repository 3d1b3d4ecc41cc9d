import { defineKind } from '../define-kind.ts';
import { checkPathSegment } from '../names.ts';
import type { Role } from '../shapes/types/rbac-v1.ts';

/** Its name may have colons: `system:…`. */
export const role = defineKind<Role>({ group: 'rbac.authorization.k8s.io', kind: 'Role', nameRule: checkPathSegment });
