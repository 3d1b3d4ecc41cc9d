import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configMaps, namespaces, pods, priorityClasses, serviceAccounts, services } from '#api/shapes/resources';
import type { Service, ServiceSpec } from '#api/shapes/types/core-v1';
import type { Client } from '#client/client';
import { type MemoryApi, startMemoryApi } from '../memory-api.ts';
import type { AdmissionStep } from './admission.ts';

let api: MemoryApi;
let client: Client;
const namespace = 'default';

async function start(options: Parameters<typeof startMemoryApi>[0] = {}): Promise<void> {
  api = startMemoryApi(options);
  client = api.client();
  await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
}

beforeEach(() => start({ clusterIpRange: '10.43.0.0/29', nodePortRange: [30000, 30003] }));
afterEach(() => api.stop());

const service = (name: string, spec: Partial<ServiceSpec> = {}): Promise<Service> =>
  client.create(services, {
    metadata: { name, namespace },
    spec: { type: 'ClusterIP', selector: { app: name }, ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }], ...spec },
  });
const key = (name: string) => ({ name, namespace });

describe('service addresses', () => {
  test('each Service gets an address of its own, until there is none', async () => {
    const made = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => service(name)));
    const addresses = made.map(({ spec }) => spec.clusterIP);
    expect(new Set(addresses).size).toBe(6);
    for (const { spec } of made) {
      expect(spec.clusterIPs).toEqual([spec.clusterIP]);
      expect(spec).toMatchObject({ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
    }
    await expect(service('g')).rejects.toThrow(/all 6 of the cluster-ips are taken/);
    await client.delete(services, key('a'));
    expect((await service('g')).spec.clusterIP).toBe(addresses[0]);
  });

  test('an address that the user chose must be free and in the range', async () => {
    await service('a', { clusterIP: '10.43.0.3' });
    await expect(service('b', { clusterIP: '10.43.0.3' })).rejects.toMatchObject({
      reason: 'Invalid',
      message:
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.3"]: failed to allocate IP 10.43.0.3: provided IP is already allocated',
    });
    await expect(service('b', { clusterIP: '10.44.0.3' })).rejects.toThrow(
      /not in the valid range. The range of valid IPs is 10.43.0.0\/29/,
    );
    await expect(
      client.create(
        services,
        { metadata: { name: 'b', namespace }, spec: { clusterIP: '10.43.0.3', ports: [{ port: 1 }] } },
        { dryRun: true },
      ),
    ).rejects.toThrow(/already allocated/);
    await client.delete(services, key('a'));
    expect((await service('b', { clusterIP: '10.43.0.3' })).spec.clusterIP).toBe('10.43.0.3');
  });

  test('a dry run takes nothing', async () => {
    for (let index = 0; index < 10; index++) {
      await client.create(services, { metadata: { name: 'x', namespace }, spec: { ports: [{ port: 1 }] } }, { dryRun: true });
    }
    expect((await api.backend.list('/berth/_/cluster-ips/')).items).toHaveLength(0);
  });

  test('an update that does not mention them keeps address and ports', async () => {
    const made = await service('a', { type: 'NodePort' });
    const { clusterIP: _, clusterIPs: __, ...spec } = made.spec;
    const ports = (spec.ports ?? []).map(({ nodePort: ___, ...port }) => port);
    const updated = await client.update(services, { ...made, spec: { ...spec, ports, sessionAffinity: 'ClientIP' } });
    expect(updated.spec.clusterIP).toBe(made.spec.clusterIP);
    expect(updated.spec.ports?.[0]?.nodePort).toBe(made.spec.ports?.[0]?.nodePort);
  });

  test('headless Services and external names have no address', async () => {
    expect((await service('headless', { clusterIP: 'None' })).spec.clusterIPs).toEqual(['None']);
    const external = await service('external', { type: 'ExternalName', externalName: 'example.com' });
    expect(external.spec.clusterIP).toBeUndefined();
    expect((await api.backend.list('/berth/_/cluster-ips/')).items).toHaveLength(0);
  });

  test('a Service that becomes an external name gives its address back, and gets one when it is one no more', async () => {
    await service('a');
    const external = await client.patch(services, key('a'), 'merge', { spec: { type: 'ExternalName', externalName: 'example.com' } });
    expect(external.spec.clusterIP).toBeUndefined();
    expect((await api.backend.list('/berth/_/cluster-ips/')).items).toHaveLength(0);
    const back = await client.patch(services, key('a'), 'merge', { spec: { type: 'ClusterIP', externalName: null } });
    expect(back.spec.clusterIP).toMatch(/^10\.43\.0\.\d$/);
    await expect(service('b', { type: 'ExternalName', externalName: 'example.com', clusterIP: '10.43.0.5' })).rejects.toMatchObject({
      reason: 'Invalid',
    });
  });

  test('node ports are given, kept apart, and given back when they are no longer used', async () => {
    const made = await service('a', {
      type: 'NodePort',
      ports: [
        { name: 'x', port: 80, protocol: 'TCP', targetPort: 80 },
        { name: 'y', port: 81, protocol: 'TCP', targetPort: 81 },
      ],
    });
    const given = made.spec.ports?.map((port) => port.nodePort) ?? [];
    expect(new Set(given).size).toBe(2);
    for (const port of given) expect(port).toBeGreaterThanOrEqual(30000);
    const [taken = 0] = given;
    const asked = (nodePort: number) => ({ type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', targetPort: 80, nodePort }] });
    await expect(service('b', asked(taken))).rejects.toThrow(
      `Service "b" is invalid: spec.ports[0].nodePort: Invalid value: ${taken}: provided port is already allocated`,
    );
    await expect(service('b', asked(80))).rejects.toThrow(/The range of valid ports is 30000-30003/);
    const internal = await client.patch(services, key('a'), 'merge', { spec: { type: 'ClusterIP' } });
    expect(internal.spec.ports?.every((port) => port.nodePort === undefined)).toBe(true);
    expect((await service('b', asked(taken))).spec.ports?.[0]?.nodePort).toBe(taken);
    expect((await api.backend.list('/berth/_/node-ports/')).items).toHaveLength(1);
  });

  test('two writers never get the same address', async () => {
    await api.stop();
    await start({ clusterIpRange: '10.43.0.0/27' });
    const made = await Promise.all(Array.from({ length: 30 }, (_, index) => service(`s${index}`)));
    expect(new Set(made.map(({ spec }) => spec.clusterIP)).size).toBe(30);
  });
});

describe('namespaces', () => {
  test('those that Berth needs are not deleted', async () => {
    await expect(client.delete(namespaces, { name: 'default' })).rejects.toMatchObject({
      reason: 'Forbidden',
      message: 'namespaces "default" is forbidden: this namespace may not be deleted',
    });
  });

  test('an object is not created in a namespace that goes away in the same moment', async () => {
    await client.create(namespaces, { metadata: { name: 'short' }, spec: {} });
    const going = client.delete(namespaces, { name: 'short' });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => client.create(configMaps, { metadata: { name: `c${index}`, namespace: 'short' } })),
    );
    await going;
    const late = await client.create(configMaps, { metadata: { name: 'late', namespace: 'short' } }).catch((error: unknown) => error);
    expect(late).toMatchObject({ reason: expect.stringMatching(/Forbidden|NotFound/) });
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: expect.stringMatching(/Forbidden|NotFound/) });
  });
});

describe('priority', () => {
  const pod = (name: string, spec: object = {}) => ({
    metadata: { name, namespace },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  });

  test('follows from the class, and no pod names its own', async () => {
    await client.create(priorityClasses, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' });
    expect((await client.create(pods, pod('plain'))).spec).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
    const high = await client.create(pods, pod('high', { priorityClassName: 'high' }));
    expect(high.spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never' });
    await expect(client.create(pods, pod('x', { priorityClassName: 'nothing' }))).rejects.toThrow(
      'pods "x" is forbidden: no PriorityClass with name nothing was found',
    );
    await expect(client.create(pods, pod('y', { priority: 7 }))).rejects.toThrow(/integer value of priority \(7\) must not be provided/);
    await client.create(priorityClasses, { metadata: { name: 'usual' }, value: 5, globalDefault: true });
    expect((await client.create(pods, pod('usual'))).spec).toMatchObject({ priority: 5, priorityClassName: 'usual' });
  });

  test('a pod that is written again as it was made is unchanged', async () => {
    await client.create(priorityClasses, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' });
    const made = pod('high', { priorityClassName: 'high' });
    const { metadata } = await client.create(pods, made);
    expect((await client.update(pods, { apiVersion: 'v1', kind: 'Pod', ...made })).metadata.resourceVersion).toBe(metadata.resourceVersion);
  });

  test('one class is the default', async () => {
    const usual = await client.create(priorityClasses, { metadata: { name: 'usual' }, value: 5, globalDefault: true });
    await expect(client.create(priorityClasses, { metadata: { name: 'other' }, value: 6, globalDefault: true })).rejects.toMatchObject({
      reason: 'Forbidden',
      message:
        'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
    });
    await client.update(priorityClasses, { ...usual, description: 'for most' });
  });

  test('every pod has a service account', async () => {
    expect((await client.create(pods, pod('a'))).spec.serviceAccountName).toBe('default');
    await expect(client.create(pods, pod('b', { serviceAccountName: 'mine' }))).rejects.toMatchObject({
      reason: 'Forbidden',
      message: 'pods "b" is forbidden: error looking up service account default/mine: serviceaccount "mine" not found',
    });
    await client.create(serviceAccounts, { metadata: { name: 'mine', namespace }, imagePullSecrets: [{ name: 'registry' }] });
    expect((await client.create(pods, pod('b', { serviceAccountName: 'mine' }))).spec).toMatchObject({
      serviceAccountName: 'mine',
      imagePullSecrets: [{ name: 'registry' }],
    });
    const own = await client.create(pods, pod('c', { serviceAccountName: 'mine', imagePullSecrets: [{ name: 'own' }] }));
    expect(own.spec.imagePullSecrets).toEqual([{ name: 'own' }]);
  });
});

test('a further step is one entry in the list', async () => {
  await api.stop();
  const step: AdmissionStep = {
    name: 'toy',
    resources: [configMaps],
    mutate: ({ object }) => {
      object.metadata.labels = { ...object.metadata.labels, toy: 'yes' };
    },
    validate: ({ object, operation }) => {
      if (operation !== 'delete' && object.metadata.name === 'bad') throw new Error('a step that throws anything else');
    },
  };
  await start({ moreAdmission: [step] });
  expect((await client.create(configMaps, { metadata: { name: 'a', namespace } })).metadata.labels).toEqual({ toy: 'yes' });
  await expect(client.create(configMaps, { metadata: { name: 'bad', namespace } })).rejects.toThrow('anything else');
});
