/**
 * The Node objects, as agents report them: made when a node joins, given their range of pod addresses, and marked when a node falls silent. What
 * people write on a Node (labels of their own, taints, unschedulable) is theirs and stays.
 */
import { deepEqual } from '#api/equality';
import { configMaps, leases, nodes } from '#api/shapes/resources';
import type { Node, NodeCondition } from '#api/shapes/types/core-v1';
import { type Clock, formatMicroTime, formatTime } from '#base/clock';
import { hasReason, messageOf, StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { freePodRange } from './pod-ranges.ts';

/** SHA-256 of the key that the node joined with. */
export const keyAnnotation = 'berth.dev/key-fingerprint';

/** Where there are several servers: the one to which the node's agent is connected, or was last. */
const serverAnnotation = 'berth.dev/server';

/** The name of the server that the node's agent is, or was last, connected to; undefined where there is only one. */
export function serverOf(node: Node): string | undefined {
  return node.metadata.annotations?.[serverAnnotation];
}

/** Whether an agent has ever joined under this name: of other Nodes, those that people make, nothing is heard and nothing expected. */
export function hasAgent(node: Node): boolean {
  return node.metadata.annotations?.[keyAnnotation] !== undefined;
}

export interface NodeObjects {
  /** Makes sure that the name belongs to this key. Throws `AlreadyExists` when it belongs to another. */
  claim(nodeName: string, keyFingerprint: string): Promise<void>;
  /** The fingerprint that the name belongs to; undefined when there is no such node. */
  owner(nodeName: string): Promise<string | undefined>;
  /** Writes what the agent observed, with a range of pod addresses and the server that it is connected to, and gives the Node as it is then. */
  register(nodeName: string, observed: Node): Promise<Node>;
  /** Throws `Conflict` when the agent is connected to another server by now. */
  update(nodeName: string, observed: Node): Promise<void>;
  /** The node is not heard of any more: nothing is known of it. Not done when `isSilent` says, of the Node as it is then, that it is another's to say. */
  markSilent(nodeName: string, isSilent?: (node: Node) => boolean): Promise<void>;
  /** For other tools: Berth does not read it. */
  renewLease(nodeName: string): Promise<void>;
}

export interface NodeObjectsOptions {
  readonly client: Client;
  readonly clusterCidr: string;
  /** The name of this server, where there may be several. */
  readonly server?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const attempts = 10;
const leaseSeconds = 900;
/** Ranges that servers are about to give to nodes: written with a compare, so that no two give the same one. */
const reservations = { namespace: 'kube-system', name: 'berth-pod-ranges' };

export function createNodeObjects(options: NodeObjectsOptions): NodeObjects {
  const { client, clock, log } = options;
  /** Ranges are given one after the other, so that none is given twice. */
  let allocation: Promise<unknown> = Promise.resolve();

  /** Reads, changes and writes until nobody came in between; `change` gives back the same object when there is nothing to do. */
  const modify = async (nodeName: string, subresource: boolean, change: (node: Node) => Node): Promise<Node> => {
    for (let attempt = 1; ; attempt++) {
      const present = await client.get(nodes, { name: nodeName });
      const wanted = change(present);
      if (wanted === present || deepEqual(wanted, present)) return present;
      try {
        return subresource ? await client.updateStatus(nodes, wanted) : await client.update(nodes, wanted);
      } catch (error) {
        if (!hasReason(error, 'Conflict') || attempt >= attempts) throw error;
      }
    }
  };

  const ensure = async (node: Pick<Node, 'metadata'>): Promise<void> => {
    const name = node.metadata.name ?? '';
    if ((await client.find(nodes, { name })) !== undefined) return;
    try {
      await client.create(nodes, { metadata: node.metadata, spec: {} });
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  };

  const assign = async (nodeName: string): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      const reserved = options.server === undefined ? undefined : await client.find(configMaps, reservations);
      const all = (await client.list(nodes)).items;
      const own = all.find(({ metadata }) => metadata.name === nodeName);
      if (own === undefined || (own.spec?.podCIDR ?? '') !== '') return;
      const pending = Object.fromEntries(
        all.flatMap(({ metadata: { name = '' }, spec }) => {
          const range = reserved?.data?.[name];
          return range === undefined || name === nodeName || (spec?.podCIDR ?? '') !== '' ? [] : [[name, range]];
        }),
      );
      const range = freePodRange(options.clusterCidr, [...all.flatMap(({ spec }) => spec?.podCIDR ?? []), ...Object.values(pending)]);
      if (range === undefined) {
        log.error(`no range of pod addresses is left for node ${nodeName}: ${options.clusterCidr} is used up`, { node: nodeName });
        return;
      }
      try {
        if (options.server !== undefined) {
          const data = { ...pending, [nodeName]: range };
          if (reserved === undefined) await client.create(configMaps, { metadata: reservations, data });
          else await client.update(configMaps, { ...reserved, data });
        }
        await modify(nodeName, false, (node) => ({ ...node, spec: { ...node.spec, podCIDR: range, podCIDRs: [range] } }));
        return;
      } catch (error) {
        // Another server reserved at the same time.
        if ((!hasReason(error, 'Conflict') && !hasReason(error, 'AlreadyExists')) || attempt >= attempts) throw error;
      }
    }
  };

  const allocate = (nodeName: string): Promise<void> => {
    const next = allocation.then(() => assign(nodeName));
    allocation = next.catch(() => undefined);
    return next;
  };

  const writeStatus = (nodeName: string, observed: Node): Promise<Node> =>
    modify(nodeName, true, (node) => {
      mustBeOurs(node);
      const stamp = formatTime(clock.now());
      const others = (node.status?.conditions ?? []).filter(
        ({ type }) => !(observed.status?.conditions ?? []).some((own) => own.type === type),
      );
      const conditions = (observed.status?.conditions ?? []).map((condition) => {
        const before = node.status?.conditions?.find(({ type }) => type === condition.type);
        const since = before?.status === condition.status ? before.lastTransitionTime : condition.lastTransitionTime;
        return {
          ...condition,
          ...(since === undefined ? {} : { lastTransitionTime: since }),
          lastHeartbeatTime: stamp,
        };
      });
      return { ...node, status: { ...node.status, ...observed.status, conditions: [...conditions, ...others] } };
    });

  const writeMetadata = (nodeName: string, observed: Node, takes: boolean): Promise<Node> =>
    modify(nodeName, false, (node) => {
      const { server } = options;
      if (!takes) mustBeOurs(node);
      const { [keyAnnotation]: _key, [serverAnnotation]: _server, ...annotations } = observed.metadata.annotations ?? {};
      return {
        ...node,
        metadata: {
          ...node.metadata,
          labels: { ...node.metadata.labels, ...observed.metadata.labels },
          annotations: {
            ...node.metadata.annotations,
            ...annotations,
            ...(takes && server !== undefined ? { [serverAnnotation]: server } : {}),
          },
        },
      };
    });

  const mustBeOurs = (node: Node): void => {
    const { server } = options;
    if (server !== undefined && serverOf(node) !== server) {
      throw new StatusError('Conflict', `the agent of node "${node.metadata.name}" is connected to the server ${serverOf(node)} by now`);
    }
  };

  return {
    async claim(nodeName, keyFingerprint) {
      await ensure({ metadata: { name: nodeName, annotations: { [keyAnnotation]: keyFingerprint } } });
      await modify(nodeName, false, (node) => {
        const owner = node.metadata.annotations?.[keyAnnotation];
        if (owner === keyFingerprint) return node;
        if (owner !== undefined) {
          throw new StatusError(
            'AlreadyExists',
            `a node named "${nodeName}" has joined already with another key: choose another name (--node-name), or delete that node first`,
          );
        }
        return { ...node, metadata: { ...node.metadata, annotations: { ...node.metadata.annotations, [keyAnnotation]: keyFingerprint } } };
      });
    },

    async owner(nodeName) {
      return (await client.find(nodes, { name: nodeName }))?.metadata.annotations?.[keyAnnotation];
    },

    async register(nodeName, observed) {
      await ensure({ metadata: { name: nodeName, labels: observed.metadata.labels ?? {} } });
      await allocate(nodeName);
      await writeMetadata(nodeName, observed, true);
      return writeStatus(nodeName, observed);
    },

    async update(nodeName, observed) {
      await writeMetadata(nodeName, observed, false);
      await writeStatus(nodeName, observed);
    },

    async markSilent(nodeName, isSilent = () => true) {
      try {
        await modify(nodeName, true, (node) => {
          if (!isSilent(node)) return node;
          const stamp = formatTime(clock.now());
          const silent = (condition: NodeCondition): NodeCondition =>
            condition.status === 'Unknown'
              ? condition
              : {
                  ...condition,
                  status: 'Unknown',
                  reason: 'NodeStatusUnknown',
                  message: 'The agent stopped posting node status.',
                  lastTransitionTime: stamp,
                };
          const present = node.status?.conditions ?? [];
          const conditions = present.some(({ type }) => type === 'Ready') ? present : [...present, { type: 'Ready', status: 'False' }];
          return { ...node, status: { ...node.status, conditions: conditions.map(silent) } };
        });
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error;
      }
    },

    async renewLease(nodeName) {
      const key = { name: nodeName, namespace: 'kube-node-lease' };
      const spec = { holderIdentity: nodeName, leaseDurationSeconds: leaseSeconds, renewTime: formatMicroTime(clock.now()) };
      try {
        const present = await client.find(leases, key);
        if (present === undefined) await client.create(leases, { metadata: key, spec });
        else await client.update(leases, { ...present, spec: { ...present.spec, ...spec } });
      } catch (error) {
        log.debug('the lease of a node was not renewed', { node: nodeName, error: messageOf(error) });
      }
    },
  };
}
