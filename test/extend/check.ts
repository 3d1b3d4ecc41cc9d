/** Runs in a copy of the tree to which the toys were added: fails unless each of them does its part through the real registries. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { runtimeDrivers } from '#agent/runtime/index';
import type { KubernetesObject, ResourceType } from '#api/object';
import { configMaps, pods } from '#api/shapes/resources';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import { runProgram } from '#cli/program';
import { convertStack } from '#compose/convert/convert-stack';
import { startCluster } from '#server/testing';

interface Toy extends KubernetesObject {
  spec?: { readonly color?: string };
}

const toys: ResourceType<Toy> = { group: 'toys.example', version: 'v1', plural: 'toys', kind: 'Toy', namespaced: true };
const namespace = 'default';

async function eventually<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; ) {
    const value = await attempt();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not in time: ${what}`);
}

const cluster = await startCluster({ nodes: 1 });
try {
  const { client } = cluster;

  const made = await client.create(toys, { metadata: { name: 'ball', namespace } });
  assert.equal(made.spec?.color, 'red', 'the kind sets its defaults');
  await assert.rejects(client.create(toys, { metadata: { name: 'ghost', namespace }, spec: { color: 'invisible' } }), /must be seen/);
  assert.equal((await client.list(toys, { namespace })).items.length, 1, 'the kind is stored and listed');

  const wish = await client.create(configMaps, { metadata: { name: 'wish', namespace }, data: { wish: 'toy' } });
  assert.equal(wish.metadata.labels?.toy, 'seen', 'the admission step completes');
  await assert.rejects(client.create(configMaps, { metadata: { name: 'no-toys', namespace } }), /no toys, no config map/);
  await eventually('the controller acts', async () => (await client.get(configMaps, { name: 'wish', namespace })).data?.granted);

  await client.create(pods, {
    metadata: { name: 'sad', namespace, labels: { app: 'no-toys' } },
    spec: { containers: [{ name: 'c', image: 'x:1' }] },
  });
  const refused = await eventually('the scheduler says why', async () =>
    (await client.get(pods, { name: 'sad', namespace })).status?.conditions?.find(
      (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
    ),
  );
  assert.match(refused.message ?? '', /node\(s\) had no toys/);

  const driver = runtimeDrivers.find(({ name }) => name === 'toy');
  assert.ok(driver !== undefined, 'the driver is listed');
  const runtime = driver.create({ endpoint: '', instance: 'check', clock: systemClock, log: silentLogger });
  assert.equal((await runtime.info()).name, 'toy');
  runtime.close?.();

  const planned = convertStack({ name: 'stack', namespace }, { name: 'stack', services: { web: { image: 'x:1' } } });
  assert.match(JSON.stringify(planned), /"toys\.example\/service":"web"/, 'the Compose section adds to the pods');

  let printed = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      printed += chunk.toString();
      done();
    },
  });
  const context = {
    stdin: process.stdin,
    stdout,
    stderr: stdout,
    environment: {},
    workingDirectory: '/',
    clock: systemClock,
    signal: new AbortController().signal,
  };
  assert.equal(await runProgram(['toy'], context), 0);
  assert.equal(printed, 'wheee\n');
} finally {
  await cluster.stop();
}
process.stdout.write('every toy plays\n');
process.exit(0);
