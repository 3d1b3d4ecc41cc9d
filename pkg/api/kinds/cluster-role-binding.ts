import { defineKind } from '../define-kind.ts';
import { checkPathSegment } from '../names.ts';
import type { ClusterRoleBinding } from '../shapes/types/rbac-v1.ts';

/** Its name may have colons: `system:…`. */
export const clusterRoleBinding = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRoleBinding',
  nameRule: checkPathSegment,
});
