import { defineKind } from '../define-kind.ts';
import { checkPathSegment } from '../names.ts';
import type { ClusterRole } from '../shapes/types/rbac-v1.ts';

/** Its name may have colons: `system:…`. */
export const clusterRole = defineKind<ClusterRole>({ group: 'rbac.authorization.k8s.io', kind: 'ClusterRole', nameRule: checkPathSegment });
