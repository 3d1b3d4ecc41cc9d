import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Container, Pod, Service } from '#api/shapes/types/core-v1';
import {
  containerEnvironment,
  type EnvironmentSources,
  expand,
  expandAll,
  fieldValue,
  linkedServices,
  resourceValue,
} from './environment.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const sources: EnvironmentSources = {
  configMap: (name) =>
    name === 'settings' ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { color: 'blue', size: 'large' } } : undefined,
  secret: (name) =>
    name === 'hidden' ? { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { password: base64('s3cret') } } : undefined,
  services: [],
  podAddresses: ['10.42.0.7', 'fd00::7'],
  hostAddresses: ['192.0.2.1'],
  allocatable: { cpu: '4', memory: '8Gi' },
};

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', labels: { app: 'web', tier: 'front' }, annotations: { note: 'a "quoted" one' } },
  spec: {
    nodeName: 'one',
    serviceAccountName: 'runner',
    containers: [{ name: 'main', image: 'i', resources: { limits: { cpu: '1500m', memory: '1Gi' } } }],
  },
};

function environment(container: Partial<Container>, more: Partial<EnvironmentSources> = {}): Record<string, string> {
  const list = containerEnvironment(pod, { ...pod.spec.containers[0]!, ...container }, { ...sources, ...more });
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
}

describe('the environment of a container', () => {
  test('takes values from config maps, secrets, fields and resources', () => {
    expect(
      environment({
        envFrom: [
          { configMapRef: { name: 'settings' }, prefix: 'S_' },
          { secretRef: { name: 'hidden' } },
          { configMapRef: { name: 'none', optional: true } },
        ],
        env: [
          { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'hidden', key: 'password' } } },
          { name: 'NONE', valueFrom: { secretKeyRef: { name: 'hidden', key: 'none', optional: true } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
          { name: 'MIB', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'URL', value: 'http://$(IP)/$(MISSING)/$$(IP)' },
        ],
      }),
    ).toEqual({
      S_color: 'blue',
      S_size: 'large',
      password: 's3cret',
      COLOR: 'blue',
      PASSWORD: 's3cret',
      IP: '10.42.0.7',
      CPU: '2',
      MIB: '1024',
      URL: 'http://10.42.0.7/$(MISSING)/$(IP)',
    });
  });

  test('a later one wins, and refers to those before it', () => {
    expect(
      environment({
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '$(A)$(C)' },
          { name: 'A', value: '2$(A)' },
        ],
      }),
    ).toEqual({ A: '21', B: '1$(C)' });
  });

  test.each([
    [{ envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
    [{ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }] }, 'secret "none" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'k' } } }] },
      "couldn't find key k in ConfigMap shop/settings",
    ],
    [{ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.containers' } } }] }, 'field path "spec.containers" is not served'],
  ])('says what is missing: %#', (container, message) => {
    expect(() => environment(container)).toThrow(message);
  });

  test('has links to the services of its namespace, unless it does without', () => {
    const service = (name: string, namespace: string, clusterIP: string): Service => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { clusterIP, ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
    });
    const services = linkedServices(
      [
        service('my-db', 'shop', '10.43.0.5'),
        service('kubernetes', 'default', '10.43.0.1'),
        service('other', 'else', '10.43.0.6'),
        service('headless', 'shop', 'None'),
      ],
      'shop',
    );
    expect(services.map(({ metadata }) => metadata.name)).toEqual(['my-db', 'kubernetes']);
    expect(environment({}, { services })).toMatchObject({
      MY_DB_SERVICE_HOST: '10.43.0.5',
      MY_DB_SERVICE_PORT: '80',
      MY_DB_SERVICE_PORT_HTTP: '80',
      MY_DB_PORT: 'tcp://10.43.0.5:80',
      MY_DB_PORT_80_TCP_ADDR: '10.43.0.5',
      KUBERNETES_SERVICE_HOST: '10.43.0.1',
    });
    const without = { ...pod, spec: { ...pod.spec, enableServiceLinks: false } };
    expect(containerEnvironment(without, pod.spec.containers[0]!, { ...sources, services })).toEqual([]);
  });
});

describe('expansion', () => {
  const values = new Map([['A', 'x']]);
  test.each([
    ['$(A)', 'x'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$x'],
    ['$(B)', '$(B)'],
    ['$(A', '$(A'],
    ['$', '$'],
    ['a$b', 'a$b'],
    ['$(A)$(A)', 'xx'],
  ])('%s becomes %s', (text, expected) => {
    expect(expand(text, values)).toBe(expected);
  });

  test('leaves a text without references as it is, and an escaped one as it was', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(expand(text.replaceAll('$', ''), values)).toBe(text.replaceAll('$', ''));
        expect(expand(text.replaceAll('$', '$$$$'), values)).toBe(text);
      }),
    );
  });

  test('is done for each word of a command', () => {
    expect(expandAll(['echo', '$(A)'], [{ name: 'A', value: 'x' }])).toEqual(['echo', 'x']);
  });
});

describe('fields and resources', () => {
  test.each([
    ['metadata.name', 'web'],
    ["metadata.labels['app']", 'web'],
    ["metadata.annotations['note']", 'a "quoted" one'],
    ['metadata.labels', 'app="web"\ntier="front"'],
    ['spec.nodeName', 'one'],
    ['spec.serviceAccountName', 'runner'],
    ['status.podIPs', '10.42.0.7,fd00::7'],
    ['status.hostIP', '192.0.2.1'],
  ])('%s', (path, expected) => {
    expect(fieldValue(path, pod, sources)).toBe(expected);
  });

  test.each([
    ['limits.cpu', undefined, '2'],
    ['limits.cpu', '1m', '1500'],
    ['requests.memory', undefined, String(1024 ** 3)],
    ['limits.ephemeral-storage', undefined, '0'],
  ])('%s divided by %s is %s', (path, divisor, expected) => {
    expect(resourceValue(path, divisor, pod.spec.containers[0]!, sources.allocatable)).toBe(expected);
  });

  test('a limit that is not set is what the node has', () => {
    expect(resourceValue('limits.memory', '1Gi', { name: 'x', image: 'i' }, sources.allocatable)).toBe('8');
  });
});
