import type { Authorizer } from './authorizer.ts';
import { basicUser } from './basic-user.ts';
import { type BoundPods, nodeAuthorizer } from './node-authorizer.ts';
import { superusers } from './superusers.ts';

/** Who may what, in the order asked: cheap and common first. A further authorizer is one line here. */
export function createAuthorizers(boundPods: BoundPods): readonly Authorizer[] {
  return [superusers, basicUser, nodeAuthorizer(boundPods)];
}
