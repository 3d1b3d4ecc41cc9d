/** Real kubectls against the API server alone: what needs no node and no controller. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pods } from '#api/shapes/resources';
import { startCluster, type TestCluster } from '#server/testing';
import { endAfter, installedVersions, type Kubectl, useKubectl } from '../harness/kubectl.ts';

let cluster: TestCluster;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-kubectl-'));
  cluster = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false } });
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each([...installedVersions(['1.27', '1.30', '1.33']), '1.35'])('kubectl %s', (version) => {
  let kubectl: Kubectl;
  let namespace: string;
  const on = (...args: readonly string[]): Promise<string> => kubectl.succeed('-n', namespace, ...args);
  const manifest = async (content: string): Promise<string> => {
    const path = join(folder, `${version}.yaml`);
    await writeFile(path, content);
    return path;
  };

  beforeAll(async () => {
    kubectl = await useKubectl(version, cluster.kubeconfig, folder);
    namespace = `v${version.replace('.', '-')}`;
    await kubectl.succeed('create', 'namespace', namespace);
  }, 300_000);

  test('says the version, and lists what is served', async () => {
    const { serverVersion } = JSON.parse(await kubectl.succeed('version', '-o', 'json')) as { serverVersion: { gitVersion: string } };
    expect(serverVersion.gitVersion).toMatch(/^v1\.33\.\d+\+berth\./);
    const resources = await kubectl.succeed('api-resources', '-o', 'wide');
    expect(resources).toMatch(/^pods +po +v1 +true +Pod +create,delete,deletecollection,get,list,patch,update,watch +all/m);
    expect(resources).toMatch(/^stacks +compose\.berth\.dev\/v1alpha1 +true +Stack/m);
    expect(await kubectl.succeed('api-versions')).toContain('apps/v1');
    expect(await kubectl.succeed('get', '--raw', '/readyz?verbose')).toContain('readyz check passed');
  });

  test('creates, prints, applies, diffs and deletes', async () => {
    await on('create', 'configmap', 'made', '--from-literal=a=b');
    await on('create', 'secret', 'generic', 'made', '--from-literal=a=b');
    await on('create', 'deployment', 'made', '--image=x', '--replicas=2');
    expect(await on('get', 'configmap', 'made', '-o', 'jsonpath={.data.a}')).toBe('b');
    expect(await on('get', 'configmaps')).toMatch(/^NAME +.*AGE\n(.*\n)*made +/);
    expect(await kubectl.succeed('get', 'deployments', '-A', '-o', 'wide')).toMatch(new RegExp(`${namespace} +made`));
    const path = await manifest('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {k: v}\n');
    expect(await on('apply', '-f', path)).toContain('applied created');
    expect(await on('apply', '-f', path)).toContain('applied unchanged');
    await manifest('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {k: w}\n');
    const diff = await kubectl.run(['-n', namespace, 'diff', '-f', path]);
    expect(diff.code).toBe(1);
    expect(diff.stdout).toContain('+  k: w');
    expect(await on('apply', '--dry-run=server', '-f', path)).toContain('server dry run');
    expect(await on('get', 'configmap', 'applied', '-o', 'jsonpath={.data.k}')).toBe('v');
    expect(await on('apply', '-f', path)).toContain('applied configured');
    expect(await on('delete', '-f', path)).toContain('"applied" deleted');
    expect((await kubectl.run(['-n', namespace, 'get', 'configmap', 'applied'])).stderr).toContain('configmaps "applied" not found');
  });

  test('edits, patches in three ways, labels, scales', async () => {
    await on('create', 'deployment', 'changed', '--image=x');
    const edited = await kubectl.run(['-n', namespace, 'edit', 'deployment', 'changed'], {
      env: { KUBE_EDITOR: "sed -i 's/image: x/image: edited/'" },
    });
    expect({ code: edited.code, stderr: edited.stderr }).toEqual({ code: 0, stderr: '' });
    const image = 'jsonpath={.spec.template.spec.containers[0].image}';
    expect(await on('get', 'deployment', 'changed', '-o', image)).toBe('edited');
    await on('set', 'image', 'deployment/changed', 'x=z');
    expect(await on('get', 'deployment', 'changed', '-o', image)).toBe('z');
    await on('patch', 'deployment', 'changed', '-p', '{"spec":{"template":{"spec":{"containers":[{"name":"x","image":"s"}]}}}}');
    await on('patch', 'deployment', 'changed', '--type=merge', '-p', '{"metadata":{"annotations":{"a":"b"}}}');
    await on('patch', 'deployment', 'changed', '--type=json', '-p', '[{"op":"add","path":"/metadata/annotations/c","value":"d"}]');
    await on('label', 'deployment', 'changed', 'e=f');
    await on('scale', 'deployment', 'changed', '--replicas=3');
    const { metadata, spec } = JSON.parse(await on('get', 'deployment', 'changed', '-o', 'json')) as {
      metadata: { labels: object; annotations: object };
      spec: { replicas: number; template: { spec: { containers: { image: string }[] } } };
    };
    expect(metadata.labels).toMatchObject({ e: 'f' });
    expect(metadata.annotations).toMatchObject({ a: 'b', c: 'd' });
    expect(spec.replicas).toBe(3);
    expect(spec.template.spec.containers[0]?.image).toBe('s');
    expect(await on('get', 'deployments', '-l', 'e=f', '-o', 'name')).toBe('deployment.apps/changed\n');
    expect(await on('get', 'deployments', '-l', 'e!=f', '-o', 'name')).not.toContain('changed');
  });

  test('explains, validates, and asks who it is', async () => {
    expect(await kubectl.succeed('explain', 'pod.spec.containers')).toMatch(/image\t<string>/);
    expect(await kubectl.succeed('explain', 'deployment', '--recursive')).toContain('strategy');
    const path = await manifest(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: bog}\nspec: {bogusField: 1, containers: [{name: c, image: i}]}\n',
    );
    const refused = await kubectl.run(['-n', namespace, 'create', '-f', path]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('unknown field "spec.bogusField"');
    const warned = await kubectl.run(['-n', namespace, 'create', '--validate=warn', '-f', path]);
    expect(warned).toMatchObject({ code: 0 });
    expect(warned.stderr).toContain('Warning: unknown field "spec.bogusField"');
    expect(await kubectl.succeed('auth', 'can-i', 'create', 'pods')).toBe('yes\n');
    const forbidden = await kubectl.run(['get', 'pods', '--as=bob']);
    expect(forbidden.stderr).toContain('User "bob" cannot list resource "pods" in API group "" in the namespace "default"');
  });

  test('pages through a long list', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) await on('create', 'configmap', name);
    expect(await on('get', 'configmaps', '--chunk-size=1', '-o', 'name')).toMatch(/page-1\n.*page-2\n.*page-3\n/s);
  });

  test('watches, and waits for what comes', async () => {
    const watching = kubectl.run(['-n', namespace, 'get', 'pods', '--watch-only', '-o', 'name'], {
      onStart: (child) => endAfter(child, 'pod/watched'),
    });
    const waiting = on('wait', '--for=jsonpath={.status.phase}=Running', 'pod/watched', '--timeout=60s').catch((error: unknown) =>
      String(error),
    );
    await on('run', 'watched', '--image=x');
    const waited = on('wait', '--for=condition=Ready', 'pod/watched', '--timeout=60s');
    const pod = await cluster.client.get(pods, { namespace, name: 'watched' });
    await cluster.client.updateStatus(pods, {
      ...pod,
      status: { ...pod.status, phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    });
    expect(await waited).toContain('condition met');
    await waiting;
    // It may have begun only now: changes go on until it has seen one.
    let seen = false;
    const ended = watching.finally(() => {
      seen = true;
    });
    for (let change = 0; !seen; change++) await on('label', 'pod', 'watched', '--overwrite', `change=${change}`);
    expect((await ended).stdout).toContain('pod/watched');
    await on('delete', 'pod', 'watched', '--force', '--grace-period=0');
  });
});
