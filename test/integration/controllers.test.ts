import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  configMaps,
  controllerRevisions,
  daemonSets,
  deployments,
  endpointSlices,
  endpoints,
  events,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  priorityClasses,
  replicaSets,
  replicationControllers,
  serviceAccounts,
  services,
} from '#api/shapes/resources';
import type { Deployment } from '#api/shapes/types/apps-v1';
import type { NodeCondition, Pod } from '#api/shapes/types/core-v1';
import type { Client } from '#client/client';
import { type ControlPlane, eventually, namesOf, startControlPlane } from '../harness/control-plane.ts';

let plane: ControlPlane;
let client: Client;

beforeEach(async () => {
  plane = await startControlPlane();
  client = plane.client;
  await plane.addNodes('node-1', 'node-2');
});

afterEach(async () => {
  await plane.stop();
});

const namespace = 'default';
const labels = { app: 'web' };

const tolerations = ['not-ready', 'unreachable'].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));

async function createWeb(replicas: number, image = 'web:1'): Promise<Deployment> {
  return await client.create(deployments, {
    metadata: { name: 'web', namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { tolerations, containers: [{ name: 'main', image, ports: [{ name: 'http', containerPort: 8080 }] }] },
      },
    },
  });
}

const web = (): Promise<Deployment> => client.get(deployments, { namespace, name: 'web' });
const isRolledOut = ({ metadata, spec, status }: Deployment): boolean =>
  status?.observedGeneration === metadata.generation &&
  status?.updatedReplicas === spec.replicas &&
  status?.availableReplicas === spec.replicas &&
  status?.replicas === spec.replicas;
const isReadyPod = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
/** The reasons of the events about the object, once `reason` is among them: events come after what they tell of. */
const reasonsOf = (name: string, reason: string): Promise<string[]> =>
  eventually(
    async () =>
      (await client.list(events, { namespace })).items
        .filter((event) => event.involvedObject.name === name)
        .map((event) => event.reason ?? ''),
    (reasons) => reasons.includes(reason),
  );

describe('a Deployment', () => {
  test('comes up on nodes, rolls to a new image, goes back, and scales', async () => {
    await createWeb(3);
    expect(await eventually(web, isRolledOut)).toMatchObject({ status: { availableReplicas: 3 } });
    const placed = (await client.list(pods, { namespace })).items;
    expect(new Set(placed.map(({ spec }) => spec.nodeName))).toEqual(new Set(['node-1', 'node-2']));
    expect(await reasonsOf('web', 'ScalingReplicaSet')).toContain('ScalingReplicaSet');
    expect(await reasonsOf(placed[0]?.metadata.name ?? '', 'Scheduled')).toContain('Scheduled');

    const container = (image: string) => ({ spec: { template: { spec: { containers: [{ name: 'main', image }] } } } });
    await client.patch(deployments, { namespace, name: 'web' }, 'strategic', container('web:2'));
    await eventually(web, isRolledOut);
    const images = async (): Promise<string[]> =>
      (await client.list(pods, { namespace })).items.map(({ spec }) => spec.containers[0]?.image ?? '');
    expect(await eventually(images, (found) => found.length === 3)).toEqual(['web:2', 'web:2', 'web:2']);
    expect((await web()).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');

    await client.patch(deployments, { namespace, name: 'web' }, 'strategic', container('web:1'));
    await eventually(web, isRolledOut);
    expect(await eventually(images, (found) => found.length === 3)).toEqual(['web:1', 'web:1', 'web:1']);
    expect((await web()).metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect(await namesOf(client, replicaSets, namespace)).toHaveLength(2);

    await client.patch(deployments, { namespace, name: 'web' }, 'merge', { spec: { replicas: 1 } });
    await eventually(web, isRolledOut);
    expect(await eventually(images, (found) => found.length === 1)).toHaveLength(1);
    expect((await web()).status?.conditions?.map(({ type, status }) => `${type}=${status}`).toSorted()).toEqual([
      'Available=True',
      'Progressing=True',
    ]);
  });

  test('comes to rest: nothing is written once all is as it should be', async () => {
    await createWeb(2);
    await eventually(web, isRolledOut);
    const revision = async (): Promise<string> => (await client.list(configMaps)).metadata.resourceVersion ?? '';
    let last = '';
    const calm = await eventually(
      async () => {
        const [before, now] = [last, await revision()];
        last = now;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return before === now;
      },
      (isCalm) => isCalm,
    );
    expect(calm).toBe(true);
  });

  test('is replaced pod by pod when they are deleted, also over restarts of the controllers', async () => {
    await createWeb(3);
    await eventually(web, isRolledOut);
    for (let round = 0; round < 3; round++) {
      const [victim] = await namesOf(client, pods, namespace);
      await client.delete(pods, { namespace, name: victim ?? '' });
      await plane.restart();
      const found = await eventually(
        () => namesOf(client, pods, namespace),
        (names) => names.length === 3 && !names.includes(victim ?? ''),
      );
      expect(found).toHaveLength(3);
    }
  });

  test('takes its ReplicaSets and pods with it, or leaves them, as asked', async () => {
    const gone = async (): Promise<number> =>
      (
        await Promise.all([
          namesOf(client, deployments, namespace),
          namesOf(client, replicaSets, namespace),
          namesOf(client, pods, namespace),
        ])
      ).flat().length;
    for (const propagationPolicy of ['Background', 'Foreground'] as const) {
      await createWeb(2);
      await eventually(web, isRolledOut);
      await client.delete(deployments, { namespace, name: 'web' }, { propagationPolicy });
      expect(await eventually(gone, (count) => count === 0)).toBe(0);
    }
    await createWeb(2);
    await eventually(web, isRolledOut);
    const [replicaSet = ''] = await namesOf(client, replicaSets, namespace);
    await client.delete(deployments, { namespace, name: 'web' }, { propagationPolicy: 'Orphan' });
    await eventually(
      () => namesOf(client, deployments, namespace),
      (names) => names.length === 0,
    );
    expect((await client.get(replicaSets, { namespace, name: replicaSet })).metadata.ownerReferences ?? []).toEqual([]);
    expect(await namesOf(client, pods, namespace)).toHaveLength(2);
    // A Deployment of the same selector takes the orphan up again.
    await createWeb(2);
    await eventually(web, isRolledOut);
    const adopted = await eventually(
      () => client.get(replicaSets, { namespace, name: replicaSet }),
      ({ metadata }) => (metadata.ownerReferences ?? []).length === 1,
    );
    expect(adopted.metadata.ownerReferences?.[0]?.kind).toBe('Deployment');
  });
});

describe('a DaemonSet', () => {
  test('has a pod on every node, also on one that comes later, and rolls with a history', async () => {
    const daemonLabels = { app: 'daemon' };
    const key = { namespace, name: 'daemon' };
    await client.create(daemonSets, {
      metadata: key,
      spec: {
        selector: { matchLabels: daemonLabels },
        template: { metadata: { labels: daemonLabels }, spec: { containers: [{ name: 'main', image: 'daemon:1' }] } },
      },
    });
    const settled = (count: number, image: string) => async (): Promise<boolean> => {
      const { status } = await client.get(daemonSets, key);
      const there = (await client.list(pods, { namespace })).items;
      const places = new Set(there.filter(({ spec }) => spec.containers[0]?.image === image).map(({ spec }) => spec.nodeName));
      return (
        status?.numberAvailable === count && status.updatedNumberScheduled === count && there.length === count && places.size === count
      );
    };
    expect(await eventually(settled(2, 'daemon:1'), (is) => is)).toBe(true);
    await plane.addNodes('node-3');
    expect(await eventually(settled(3, 'daemon:1'), (is) => is)).toBe(true);
    const patch = { spec: { template: { spec: { containers: [{ name: 'main', image: 'daemon:2' }] } } } };
    await client.patch(daemonSets, key, 'strategic', patch);
    expect(await eventually(settled(3, 'daemon:2'), (is) => is)).toBe(true);
    const revisions = (await client.list(controllerRevisions, { namespace })).items;
    expect(revisions.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual([1, 2]);
  });
});

describe('a Job', () => {
  const selector = { manualSelector: true, selector: { matchLabels: { job: 'work' } } };
  const template = (image: string) => ({
    metadata: { labels: { job: 'work' } },
    spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] },
  });

  test('runs to its end, index by index, and leaves nothing held when it is deleted', async () => {
    const key = { namespace, name: 'work' };
    const spec = { ...selector, completions: 5, parallelism: 2, completionMode: 'Indexed', template: template('succeeds') };
    await client.create(jobs, { metadata: key, spec });
    const done = await eventually(
      () => client.get(jobs, key),
      ({ status }) => status?.conditions?.some(({ type }) => type === 'Complete') === true,
    );
    expect(done.status).toMatchObject({ succeeded: 5, completedIndexes: '0-4' });
    const finalizers = async (): Promise<string[]> =>
      (await client.list(pods, { namespace })).items.flatMap(({ metadata }) => metadata.finalizers ?? []);
    expect(await eventually(finalizers, (held) => held.length === 0)).toEqual([]);
    expect(await reasonsOf('work', 'Completed')).toContain('Completed');
    await client.delete(jobs, key, { propagationPolicy: 'Background' });
    const left = await eventually(
      () => namesOf(client, pods, namespace),
      (names) => names.length === 0,
    );
    expect(left).toEqual([]);
  });

  test('that is deleted while it runs lets its pods go', async () => {
    const key = { namespace, name: 'work' };
    await client.create(jobs, { metadata: key, spec: { ...selector, completions: 2, parallelism: 2, template: template('runs') } });
    await eventually(
      () => namesOf(client, pods, namespace),
      (names) => names.length === 2,
    );
    await client.delete(jobs, key, { propagationPolicy: 'Foreground' });
    const left = await eventually(
      async () => [...(await namesOf(client, pods, namespace)), ...(await namesOf(client, jobs, namespace))],
      (names) => names.length === 0,
    );
    expect(left).toEqual([]);
  });
});

test('a ReplicationController keeps so many pods, adopts, lets go of what it selects no more, and goes with its pods', async () => {
  const key = { namespace, name: 'old' };
  const spec = { containers: [{ name: 'main', image: 'web:1' }] };
  await client.create(pods, { metadata: { namespace, name: 'orphan', labels }, spec });
  await client.create(replicationControllers, { metadata: key, spec: { replicas: 3, template: { metadata: { labels }, spec } } });
  const own = async (): Promise<Pod[]> =>
    (await client.list(pods, { namespace })).items.filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === 'old');
  const found = await eventually(own, (items) => items.length === 3 && items.every(isReadyPod));
  expect(found.map(({ metadata }) => metadata.name)).toContain('orphan');
  const status = await eventually(
    async () => (await client.get(replicationControllers, key)).status,
    (seen) => seen?.readyReplicas === 3,
  );
  expect(status).toMatchObject({ replicas: 3, fullyLabeledReplicas: 3, availableReplicas: 3 });
  await client.patch(pods, { namespace, name: 'orphan' }, 'merge', { metadata: { labels: { app: 'other' } } });
  await eventually(own, (items) => items.length === 3 && items.every(({ metadata }) => metadata.name !== 'orphan'));
  await client.patch(replicationControllers, key, 'merge', { spec: { replicas: 1 } }, { subresource: 'scale' });
  expect(await eventually(own, (items) => items.length === 1)).toHaveLength(1);
  await client.delete(replicationControllers, key);
  expect(
    await eventually(
      () => namesOf(client, pods, namespace),
      (names) => names.length === 1,
    ),
  ).toEqual(['orphan']);
});

describe('a Service', () => {
  test('has the addresses of its ready pods, by number and by name of the port', async () => {
    await client.create(services, {
      metadata: { name: 'web', namespace },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    });
    await createWeb(2);
    const slice = await eventually(
      async () => (await client.list(endpointSlices, { namespace, labelSelector: 'kubernetes.io/service-name=web' })).items,
      (items) => items.length === 1 && (items[0]?.endpoints ?? []).filter(({ conditions }) => conditions?.ready).length === 2,
    );
    expect(slice).toHaveLength(1);
    expect(slice[0]).toMatchObject({ addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] });
    const legacy = await eventually(
      () => client.find(endpoints, { namespace, name: 'web' }),
      (found) => found?.subsets?.[0]?.addresses?.length === 2,
    );
    expect(legacy?.subsets?.[0]?.ports).toMatchObject([{ name: 'http', port: 8080 }]);
    await client.delete(services, { namespace, name: 'web' });
    const left = async (): Promise<number> =>
      (await namesOf(client, endpointSlices, namespace)).length + (await namesOf(client, endpoints, namespace)).length;
    expect(await eventually(left, (count) => count === 0)).toBe(0);
  });

  test('without a selector leads to the addresses that somebody writes for it', async () => {
    const key = { namespace, name: 'db' };
    const mirrored = (wanted: string[]): Promise<string[]> =>
      eventually(
        async () => {
          const { items } = await client.list(endpointSlices, { namespace, labelSelector: 'kubernetes.io/service-name=db' });
          return items.flatMap((slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
        },
        (found) => found.join() === wanted.join(),
      );
    await client.create(services, { metadata: key, spec: { ports: [{ port: 5432 }] } });
    await client.create(endpoints, { metadata: key, subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 5432 }] }] });
    expect(await mirrored(['192.0.2.1'])).toEqual(['192.0.2.1']);
    await client.patch(endpoints, key, 'merge', { subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [{ port: 5432 }] }] });
    expect(await mirrored(['192.0.2.2'])).toEqual(['192.0.2.2']);
    await client.delete(endpoints, key);
    expect(await mirrored([])).toEqual([]);
  });
});

describe('a namespace', () => {
  test('has its defaults, and goes with all that is in it', async () => {
    await client.create(namespaces, { metadata: { name: 'shop' }, spec: {} });
    await eventually(
      async () => [...(await namesOf(client, serviceAccounts, 'shop')), ...(await namesOf(client, configMaps, 'shop'))],
      (names) => names.length === 2,
    );
    expect(await namesOf(client, serviceAccounts, 'shop')).toEqual(['default']);
    expect(await namesOf(client, configMaps, 'shop')).toEqual(['kube-root-ca.crt']);
    await client.create(deployments, {
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'x' }] } },
      },
    });
    await client.create(configMaps, { metadata: { name: 'held', namespace: 'shop', finalizers: ['example.com/hold'] } });
    await eventually(
      () => namesOf(client, pods, 'shop'),
      (names) => names.length === 2,
    );
    await client.delete(namespaces, { name: 'shop' });
    const held = await eventually(
      () => client.get(namespaces, { name: 'shop' }),
      ({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'NamespaceFinalizersRemaining' && is === 'True') === true,
    );
    expect(held.status?.conditions?.find(({ type }) => type === 'NamespaceFinalizersRemaining')?.message).toContain('example.com/hold');
    await client.patch(configMaps, { namespace: 'shop', name: 'held' }, 'merge', { metadata: { finalizers: [] } });
    expect(
      await eventually(
        () => client.find(namespaces, { name: 'shop' }),
        (found) => found === undefined,
      ),
    ).toBeUndefined();
    expect(await namesOf(client, pods, 'shop')).toEqual([]);
  });
});

describe('a claim', () => {
  test('gets a local volume on the node of its first pod, keeps its pods there, and is not taken from under them', async () => {
    const claim = { namespace, name: 'data' };
    await client.create(persistentVolumeClaims, {
      metadata: claim,
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    const podWith = async (name: string): Promise<void> => {
      await client.create(pods, {
        metadata: { name, namespace },
        spec: {
          containers: [{ name: 'main', image: 'x', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
          volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
        },
      });
    };
    await podWith('one');
    await podWith('two');
    const placed = await eventually(
      async () => (await client.list(pods, { namespace })).items.map(({ spec }) => spec.nodeName),
      (names) => names.every((name) => name !== undefined),
    );
    expect(new Set(placed).size).toBe(1);
    const bound = await eventually(
      () => client.get(persistentVolumeClaims, claim),
      ({ status }) => status?.phase === 'Bound',
    );
    expect(bound.status).toMatchObject({ phase: 'Bound', capacity: { storage: '1Gi' } });
    const volume = await eventually(
      () => client.get(persistentVolumes, { name: bound.spec.volumeName ?? '' }),
      ({ status }) => status?.phase === 'Bound',
    );
    expect(volume).toMatchObject({ status: { phase: 'Bound' }, spec: { storageClassName: 'berth-local' } });
    expect(JSON.stringify(volume.spec.nodeAffinity)).toContain(placed[0]);

    await client.delete(persistentVolumeClaims, claim);
    await client.delete(pods, { namespace, name: 'one' });
    await eventually(
      () => namesOf(client, pods, namespace),
      (names) => names.length === 1,
    );
    expect((await client.get(persistentVolumeClaims, claim)).metadata.deletionTimestamp).toBeDefined();
    await client.delete(pods, { namespace, name: 'two' });
    expect(
      await eventually(
        () => client.find(persistentVolumeClaims, claim),
        (found) => found === undefined,
      ),
    ).toBeUndefined();
    const released = await eventually(
      () => client.get(persistentVolumes, { name: bound.spec.volumeName ?? '' }),
      ({ status }) => status?.phase === 'Released',
    );
    expect(released.status?.message).toContain('removes its data');
  });
});

describe('a node', () => {
  /** Whoever else writes the node meanwhile. */
  const setConditions = async (conditions: readonly NodeCondition[]): Promise<void> => {
    await client.patch(nodes, { name: 'node-1' }, 'merge', { status: { conditions } }, { subresource: 'status' });
  };

  test('that is silent takes no pods, and loses those that do not tolerate it; while others are well', async () => {
    await createWeb(2);
    await eventually(web, isRolledOut);
    const silent = await client.get(nodes, { name: 'node-1' });
    const conditions = (silent.status?.conditions ?? []).map((each) => (each.type === 'Ready' ? { ...each, status: 'Unknown' } : each));
    await setConditions(conditions);
    const tainted = await eventually(
      () => client.get(nodes, { name: 'node-1' }),
      ({ spec }) => (spec?.taints ?? []).length === 2,
    );
    expect(tainted.spec?.taints?.map(({ key, effect }) => `${key}:${effect}`).toSorted()).toEqual([
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/unreachable:NoSchedule',
    ]);
    const there = async () => (await client.list(pods, { namespace })).items.filter(({ spec }) => spec.nodeName === 'node-1');
    const marked = await eventually(there, (found) =>
      found.every(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'False')),
    );
    expect(marked.length).toBeGreaterThan(0);

    await setConditions(silent.status?.conditions ?? []);
    const well = await eventually(
      async () => ({ node: await client.get(nodes, { name: 'node-1' }), pods: await there() }),
      ({ node, pods: found }) => (node.spec?.taints ?? []).length === 0 && found.every(isReadyPod),
    );
    expect(well.node.spec?.taints ?? []).toEqual([]);
    expect(well.pods.every(isReadyPod)).toBe(true);
  });

  test('that is removed takes its pods with it after a while, and says so before', async () => {
    await createWeb(2);
    await eventually(web, isRolledOut);
    await client.delete(nodes, { name: 'node-1' });
    const told = await eventually(
      async () => (await client.list(events, { namespace })).items.filter(({ reason }) => reason === 'NodeGone'),
      (found) => found.length > 0,
    );
    expect(told[0]?.message).toContain('node node-1 no longer exists');
  });
});

test('a pod that fits nowhere says so, on itself and as an event', async () => {
  await client.create(pods, {
    metadata: { name: 'huge', namespace },
    spec: { containers: [{ name: 'main', image: 'x', resources: { requests: { cpu: '64' } } }] },
  });
  const pod = await eventually(
    () => client.get(pods, { namespace, name: 'huge' }),
    ({ status }) => status?.conditions?.some(({ type }) => type === 'PodScheduled') === true,
  );
  expect(pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')).toMatchObject({ status: 'False', reason: 'Unschedulable' });
  // More than one of them where the scheduler had not heard of all nodes yet.
  expect(new Set(await reasonsOf('huge', 'FailedScheduling'))).toEqual(new Set(['FailedScheduling']));
});

test('a pod of high priority that fits nowhere takes the place of one of lower priority', async () => {
  await client.create(priorityClasses, { metadata: { name: 'high' }, value: 1000 });
  const spec = (cpu: string) => ({ tolerations, containers: [{ name: 'main', image: 'x', resources: { requests: { cpu } } }] });
  for (const name of ['low-1', 'low-2']) await client.create(pods, { metadata: { name, namespace }, spec: spec('3') });
  await eventually(
    async () => (await client.list(pods, { namespace })).items,
    (items) => items.every(isReadyPod),
  );
  await client.create(pods, { metadata: { name: 'urgent', namespace }, spec: { ...spec('4'), priorityClassName: 'high' } });
  const urgent = await eventually(() => client.get(pods, { namespace, name: 'urgent' }), isReadyPod);
  expect(urgent.status?.nominatedNodeName).toBe(urgent.spec.nodeName);
  expect((await client.list(pods, { namespace })).items.filter(({ metadata }) => metadata.name?.startsWith('low'))).toHaveLength(1);
});
