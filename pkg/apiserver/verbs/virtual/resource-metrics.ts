/** `metrics.k8s.io`: what nodes and pods use now, asked of the agents (`kubectl top`, autoscalers). A node that cannot be asked is left out, with a warning. */
import { deepFreeze } from '#api/freeze';
import type { KubernetesObject, ResourceType } from '#api/object';
import { nodes, pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { messageOf } from '#base/errors';
import { notFound } from '#storage/store';
import type { NodeUsage, NodeUsages, Usage } from '../../node-usage.ts';
import type { RequestContext } from '../../request-context.ts';
import { MadeObject, type ServedObject } from '../answer.ts';
import { listObjects } from '../list.ts';
import type { VirtualResource } from './virtual-resource.ts';

const group = { group: 'metrics.k8s.io', version: 'v1beta1' };
export const nodeMetrics: ResourceType = { ...group, plural: 'nodes', kind: 'NodeMetrics', namespaced: false };
export const podMetrics: ResourceType = { ...group, plural: 'pods', kind: 'PodMetrics', namespaced: true };

/** Given what the nodes tell. */
export function resourceMetrics(usages: Pick<NodeUsages, 'of'>): readonly VirtualResource[] {
  return [
    {
      type: nodeMetrics,
      get: async (parts, _context, { name }) => {
        const found = await parts.store.cache.resource(nodes).get({ name }, 'newest');
        if (found === undefined) throw notFound(nodeMetrics, { name });
        return metricsOfNode(found.object, await usages.of(name));
      },
      list: async (parts, context, request) => {
        const { items } = await listObjects(parts, parts.resources.get(nodes), { resource: nodes }, selectorsOf(request.options));
        const known = await usagesOf(
          items.map(({ object }) => object.metadata.name ?? ''),
          usages,
          context,
        );
        return items.flatMap(({ object }) => {
          const usage = known.get(object.metadata.name ?? '');
          return usage === undefined ? [] : [metricsOfNode(object, usage)];
        });
      },
    },
    {
      type: podMetrics,
      get: async (parts, _context, { name, namespace }) => {
        const target = { name, ...(namespace === undefined ? {} : { namespace }) };
        const pod = (await parts.store.cache.resource(pods).get(target, 'newest'))?.object as Pod | undefined;
        const nodeName = pod?.spec.nodeName ?? '';
        const made = pod === undefined || nodeName === '' ? undefined : metricsOfPod(pod, await usages.of(nodeName));
        if (made === undefined) throw notFound(podMetrics, target);
        return made;
      },
      list: async (parts, context, { namespace, options }) => {
        const target = { resource: pods, ...(namespace === undefined ? {} : { namespace }) };
        const { items } = await listObjects(parts, parts.resources.get(pods), target, selectorsOf(options));
        const running = items
          .map(({ object }) => object as Pod)
          .filter(({ spec, status }) => (spec.nodeName ?? '') !== '' && status?.phase === 'Running');
        const known = await usagesOf(
          running.map(({ spec }) => spec.nodeName ?? ''),
          usages,
          context,
        );
        return running.flatMap((pod) => {
          const usage = known.get(pod.spec.nodeName ?? '');
          return (usage === undefined ? undefined : metricsOfPod(pod, usage)) ?? [];
        });
      },
    },
  ];
}

function selectorsOf({ labelSelector, fieldSelector }: { readonly labelSelector?: string; readonly fieldSelector?: string }): object {
  return { ...(labelSelector === undefined ? {} : { labelSelector }), ...(fieldSelector === undefined ? {} : { fieldSelector }) };
}

async function usagesOf(
  names: readonly string[],
  usages: Pick<NodeUsages, 'of'>,
  context: RequestContext,
): Promise<Map<string, NodeUsage>> {
  const known = new Map<string, NodeUsage>();
  await Promise.all(
    [...new Set(names)].map(async (name) => {
      try {
        known.set(name, await usages.of(name));
      } catch (error) {
        context.warn(`node ${name} gives no figures: ${messageOf(error)}`);
      }
    }),
  );
  return known;
}

function metricsOfNode(node: KubernetesObject, usage: NodeUsage): ServedObject {
  return made(nodeMetrics, node, usage, { usage: quantities(usage) });
}

/** Undefined while none of its containers has figures. */
function metricsOfPod(pod: Pod, usage: NodeUsage): ServedObject | undefined {
  const { name, namespace } = pod.metadata;
  const containers = usage.containers.filter((container) => container.pod === name && container.namespace === namespace);
  if (containers.length === 0) return undefined;
  return made(podMetrics, pod, usage, {
    containers: containers.map((container) => ({ name: container.container, usage: quantities(container) })),
  });
}

function made(type: ResourceType, { metadata }: KubernetesObject, usage: NodeUsage, figures: object): ServedObject {
  const timestamp = formatTime(usage.timestamp);
  return new MadeObject(
    deepFreeze({
      apiVersion: `${type.group}/${type.version}`,
      kind: type.kind,
      metadata: {
        ...(metadata.name === undefined ? {} : { name: metadata.name }),
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
        creationTimestamp: timestamp,
      },
      timestamp,
      window: `${usage.windowMilliseconds / 1000}s`,
      ...figures,
    }),
  );
}

function quantities({ cpuNanocores, memoryBytes }: Usage): object {
  return { cpu: `${cpuNanocores}n`, memory: `${Math.ceil(memoryBytes / 1024)}Ki` };
}
