/** The Stack controller over a real server: its writes are admitted, settle, and are cleaned up with the stack. What runs pods is played here. */
import { expect, test } from '@jest/globals';
import { configMaps, persistentVolumeClaims, pods, services, stacks } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Client } from '#client/client';
import { loadProject } from '#compose/load/load-project';
import { type ApplyPlan, planApply } from '#compose/plan-apply';
import { startCluster } from '#server/testing';

const namespace = 'default';

async function planOf(content: string, page: string): Promise<ApplyPlan> {
  const loaded = await loadProject({
    files: [{ path: 'compose.yaml', content }],
    workingDirectory: '/app',
    environment: { PAGE: page },
    envFiles: [],
    defaultProjectName: 'hello',
    readFile: () => Promise.reject(Object.assign(new Error('there are no files'), { code: 'ENOENT' })),
  });
  return planApply(loaded, namespace);
}

async function apply(client: Client, plan: ApplyPlan): Promise<void> {
  for (const configMap of plan.configMaps) {
    if ((await client.find(configMaps, { name: configMap.metadata.name ?? '', namespace })) === undefined)
      await client.create(configMaps, configMap);
  }
  const present = await client.find(stacks, { name: 'hello', namespace });
  if (present === undefined) await client.create(stacks, plan.stack);
  // A patch, since the controller writes the same object.
  else await client.patch(stacks, { name: 'hello', namespace }, 'json', [{ op: 'replace', path: '/spec', value: plan.stack.spec }]);
}

/** Plays the node: what is made gets ready, one-shots end, what is deleted goes. */
async function playNode(client: Client): Promise<void> {
  for (const pod of (await client.list(pods)).items) {
    const { name = '' } = pod.metadata;
    if (pod.metadata.deletionTimestamp !== undefined) await client.delete(pods, { name, namespace }, { gracePeriodSeconds: 0 });
    else if (pod.status?.phase === 'Pending' && pod.spec.nodeName !== undefined)
      await client.updateStatus(pods, { ...pod, status: { ...pod.status, ...fate(pod) } });
  }
}

function fate(pod: Pod): NonNullable<Pod['status']> {
  const ends = pod.metadata.labels?.['compose.berth.dev/service'] === 'init';
  const state = ends ? { terminated: { exitCode: 0 } } : { running: {} };
  return {
    phase: ends ? 'Succeeded' : 'Running',
    conditions: [{ type: 'Ready', status: ends ? 'False' : 'True' }],
    containerStatuses: [{ name: pod.spec.containers[0]?.name ?? '', image: '', imageID: '', ready: !ends, restartCount: 0, state }],
  };
}

async function until(client: Client, condition: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2400; turn++) {
    await playNode(client).catch(() => undefined);
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`it does not come to pass: ${JSON.stringify((await client.list(stacks)).items)}`);
}

const project = `
services:
  web:
    image: web
    restart: always
    deploy: { replicas: 2 }
    ports: ["8080:80", "90"]
    depends_on: { init: { condition: service_completed_successfully } }
    configs: [page]
    volumes: ["data:/data", "./site:/site:ro"]
    user: www
    healthcheck: { test: "true", interval: 1s }
  init: { image: init }
configs: { page: { environment: PAGE } }
volumes: { data: }
`;

test('a stack comes up in order, rolls when a content changes, is pruned, and goes with all but its volumes', async () => {
  const cluster = await startCluster({ nodes: 1 });
  const { client } = cluster;
  const phase = async (generation: number): Promise<string | undefined> => {
    const { status } = await client.get(stacks, { name: 'hello', namespace });
    return (status?.observedGeneration ?? 0) >= generation ? status?.phase : undefined;
  };
  const uids = async (): Promise<Record<string, string | undefined>> =>
    Object.fromEntries((await client.list(pods)).items.map(({ metadata }) => [metadata.name, metadata.uid]));
  try {
    await apply(client, await planOf(project, 'one'));
    await until(client, async () => (await phase(1)) === 'Healthy');
    const first = await uids();
    expect(Object.keys(first).toSorted()).toEqual(['hello-init-1', 'hello-web-1', 'hello-web-2']);
    const { status } = await client.get(stacks, { name: 'hello', namespace });
    expect(status?.services).toMatchObject([
      { name: 'web', state: 'Healthy', ready: 2, ports: [{ published: 8080 }, { target: 90, published: expect.any(Number) }] },
      { name: 'init', state: 'Completed' },
    ]);

    await apply(client, await planOf(project, 'one'));
    expect(await uids()).toEqual(first);

    await apply(client, await planOf(project, 'two'));
    await until(
      client,
      async () =>
        (await phase(2)) === 'Healthy' &&
        (await client.list(configMaps, { namespace, labelSelector: 'compose.berth.dev/stack=hello' })).items.length === 1,
    );
    const second = await uids();
    expect(second['hello-init-1']).toBe(first['hello-init-1']);
    expect([second['hello-web-1'], second['hello-web-2']]).not.toEqual([first['hello-web-1'], first['hello-web-2']]);

    await apply(client, await planOf('services: {web: {image: web, restart: always}}', ''));
    const names = async (): Promise<string[]> =>
      (await client.list(services, { namespace })).items
        .map(({ metadata }) => metadata.name ?? '')
        .filter((name) => name.startsWith('hello'));
    await until(
      client,
      async () => (await phase(3)) === 'Healthy' && Object.keys(await uids()).length === 1 && (await names()).length === 1,
    );
    expect(await names()).toEqual(['hello-web']);

    await client.delete(stacks, { name: 'hello', namespace });
    await until(
      client,
      async () =>
        Object.keys(await uids()).length === 0 &&
        (await client.list(configMaps, { namespace, labelSelector: 'compose.berth.dev/stack=hello' })).items.length === 0,
    );
    expect((await client.list(persistentVolumeClaims)).items.map(({ metadata }) => metadata.name)).toEqual(['hello-data']);
  } finally {
    await cluster.stop();
  }
});
