import type { Pod } from '#api/shapes/types/core-v1';
import { nodesGroup, nodeUserPrefix, type UserInfo } from '../request-context.ts';
import { type Authorizer, isResourceAction, type ResourceAction } from './authorizer.ts';
import { podRefersTo } from './pod-references.ts';

/** The pods bound to a node, as far as this server has seen. */
export type BoundPods = (nodeName: string) => Promise<readonly Pod[]>;

const reads: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** The name of the node that this user is; undefined for everyone else. */
export function nodeNameOf(user: UserInfo): string | undefined {
  return user.groups.includes(nodesGroup) && user.name.startsWith(nodeUserPrefix) ? user.name.slice(nodeUserPrefix.length) : undefined;
}

/**
 * A node may read what is its own: its Node, the pods bound to it, and what those pods need. All that it reports
 * goes through the agent protocol, so it writes nothing here.
 */
export function nodeAuthorizer(boundPods: BoundPods): Authorizer {
  return {
    name: 'node',
    authorize: async (action) => {
      if (!isResourceAction(action) || action.group !== '' || action.subresource !== undefined || !reads.has(action.verb)) return undefined;
      const node = nodeNameOf(action.user);
      if (node === undefined) return undefined;
      return (await isOwn(action, node, boundPods)) ? 'it is what the node itself needs' : undefined;
    },
    rules: (user) => (nodeNameOf(user) === undefined ? undefined : 'untold'),
  };
}

async function isOwn(action: ResourceAction, node: string, boundPods: BoundPods): Promise<boolean> {
  const { resource, namespace, name } = action;
  if (resource === 'nodes') return name === node || selects(action, `metadata.name=${node}`);
  if (resource === 'pods' && name === undefined) return selects(action, `spec.nodeName=${node}`);
  if (name === undefined || namespace === undefined) return false;
  const pods = (await boundPods(node)).filter((pod) => pod.metadata.namespace === namespace);
  return resource === 'pods' ? pods.some((pod) => pod.metadata.name === name) : pods.some((pod) => podRefersTo(pod, resource, name));
}

function selects(action: ResourceAction, requirement: string): boolean {
  return (action.fieldSelector ?? '').split(',').includes(requirement);
}
