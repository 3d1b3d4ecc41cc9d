import { describe, expect, test } from '@jest/globals';
import { pod as podKind } from '#api/kinds/pod';
import type { Container, Pod, PodSpec } from '#api/shapes/types/core-v1';
import { ComposeError } from '../compose-error.ts';
import { readStackSpec } from '../stack-spec.ts';
import { convertStack, type PlannedService, type PlannedStack } from './convert-stack.ts';
import { sections } from './index.ts';

function convert(services: Record<string, object>, more: object = {}): PlannedStack {
  return convertStack({ name: 'hello', namespace: 'default' }, readStackSpec({ services, ...more }, 'hello'));
}

function only(service: object, more: object = {}): { service: PlannedService; spec: PodSpec; container: Container; plan: PlannedStack } {
  const plan = convert({ web: { image: 'web', ...service } }, more);
  const planned = plan.services[0]!;
  return { service: planned, spec: planned.template.spec, container: planned.template.spec.containers[0]!, plan };
}

function refusal(service: object, more: object = {}): string {
  try {
    only(service, more);
  } catch (error) {
    if (error instanceof ComposeError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('a service becomes', () => {
  test('a pod with Compose’s defaults, which are not Kubernetes’', () => {
    const { spec, container, service } = only({});
    expect(spec).toMatchObject({
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 10,
      enableServiceLinks: false,
      dnsConfig: { options: [{ name: 'ndots', value: '0' }] },
      berth: { networks: ['default/hello_default'] },
    });
    expect(container).toEqual({ name: 'web', image: 'web', imagePullPolicy: 'IfNotPresent' });
    expect(service).toMatchObject({ replicas: 1, parallelism: 1, hasHealth: false, dependencies: [] });
  });

  test('a command: entrypoint and command as Docker joins them, with nothing expanded again', () => {
    expect(only({ command: 'echo $$(X) $$$$' }).container).toMatchObject({ args: ['echo', '$$$$(X)', '$$$$$$$'] });
    expect(only({ entrypoint: ['a', 'b'], command: ['c'] }).container).toMatchObject({ command: ['a', 'b'], args: ['c'] });
    expect(only({ entrypoint: [], command: ['c'] }).container).toMatchObject({ command: ['c'] });
  });

  test('an environment without what is not set', () => {
    const { container } = only({ environment: { B: '$(A)', A: 'x', C: null } });
    expect(container.env).toEqual([
      { name: 'A', value: 'x' },
      { name: 'B', value: '$$(A)' },
    ]);
  });

  test('labels where Kubernetes takes them, annotations otherwise', () => {
    const { service } = only({ labels: { tier: 'front', rule: 'Host(`x`)' }, annotations: { note: 'n' } });
    expect(service.template.labels).toMatchObject({ tier: 'front' });
    expect(service.template.annotations).toEqual({ note: 'n', rule: 'Host(`x`)' });
    expect(refusal({ labels: { 'compose.berth.dev/stack': 'other' } })).toContain('keys of berth.dev are set by Berth');
    expect(refusal({ labels: { 'not a key': 'x' } })).toContain('services.web.labels.not a key');
  });

  test('names on its networks: its own, its container name, aliases, and links of others', () => {
    const plan = convert(
      {
        web: { image: 'web', links: ['Api:backend'], networks: ['front', 'back'] },
        Api: { image: 'api', container_name: 'the-api', networks: { back: { aliases: ['db'] } } },
      },
      { networks: { front: {}, back: { name: 'shared', external: true } } },
    );
    expect([...plan.serviceObjects.keys()]).toEqual(['hello-web', 'hello-api']);
    const api = plan.serviceObjects.get('hello-api');
    expect(api?.spec).toEqual({
      clusterIP: 'None',
      selector: { 'compose.berth.dev/stack': 'hello', 'compose.berth.dev/service': 'Api' },
      publishNotReadyAddresses: true,
    });
    expect(JSON.parse(api?.metadata.annotations?.['berth.dev/network-names'] ?? '')).toEqual({
      'default/shared': ['api', 'backend', 'db', 'the-api'],
    });
    expect(plan.services[0]?.template.spec.berth?.networks).toEqual(['default/hello_front', 'default/shared']);
  });

  test('no Service on the node’s own network', () => {
    const { spec, plan } = only({ network_mode: 'host', ports: ['80:80'] });
    expect(spec.hostNetwork).toBe(true);
    expect(spec.berth).toBeUndefined();
    expect(plan.serviceObjects.size).toBe(0);
  });

  test('published ports as a LoadBalancer, on the addresses asked for; others as node ports', () => {
    const { plan, service } = only({ ports: ['8080:80', '127.0.0.1:53:53/udp', '7000', '9000-9010:90'], expose: ['5000-5001'] });
    expect(plan.serviceObjects.get('hello-web-published')).toMatchObject({
      metadata: { annotations: { 'berth.dev/host-addresses': '{"53/UDP":["127.0.0.1"]}' } },
      spec: {
        type: 'LoadBalancer',
        allocateLoadBalancerNodePorts: false,
        ports: [
          { name: 'tcp-8080', port: 8080, targetPort: 80, protocol: 'TCP' },
          { name: 'udp-53', port: 53, targetPort: 53, protocol: 'UDP' },
          { name: 'tcp-9000', port: 9000, targetPort: 90, protocol: 'TCP' },
        ],
      },
    });
    expect(plan.serviceObjects.get('hello-web-nodeports')?.spec).toMatchObject({ type: 'NodePort', ports: [{ port: 7000 }] });
    expect(plan.serviceObjects.get('hello-web')?.spec.ports?.map(({ port }) => port)).toEqual([53, 80, 90, 5000, 5001, 7000]);
    expect(service.ports[0]).toEqual({ target: 80, protocol: 'TCP', published: 8080 });
    expect(refusal({ ports: ['80:80', '80:81'] })).toContain('port 80/TCP is published twice');
  });

  test('mounts: one claim for a named volume, paths, memory', () => {
    const { spec, container, plan } = only(
      {
        volumes: [
          'data:/a',
          'data:/b:ro',
          '/host:/c',
          '/anonymous',
          { type: 'tmpfs', target: '/t', tmpfs: { size: '1m' } },
          'elsewhere:/e',
        ],
        tmpfs: ['/run:size=64k'],
        shm_size: '64m',
      },
      { volumes: { data: { labels: { keep: 'yes' } }, elsewhere: { external: true, name: 'other-data' } } },
    );
    expect(plan.claims.get('hello-data')).toEqual({
      metadata: { name: 'hello-data', labels: { 'compose.berth.dev/stack': 'hello', 'compose.berth.dev/volume': 'data', keep: 'yes' } },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'berth-local', resources: { requests: { storage: '1Gi' } } },
    });
    expect([...plan.claims.keys()]).toEqual(['hello-data']);
    expect(spec.volumes).toEqual([
      { name: 'volume-data', persistentVolumeClaim: { claimName: 'hello-data' } },
      { name: 'mount-2', hostPath: { path: '/host' } },
      { name: 'mount-3', emptyDir: {} },
      { name: 'mount-4', emptyDir: { medium: 'Memory', sizeLimit: '1048576' } },
      { name: 'volume-elsewhere', persistentVolumeClaim: { claimName: 'other-data' } },
      { name: 'tmpfs-0', emptyDir: { medium: 'Memory', sizeLimit: '65536' } },
      { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '67108864' } },
    ]);
    expect(container.volumeMounts?.slice(0, 3)).toEqual([
      { name: 'volume-data', mountPath: '/a' },
      { name: 'volume-data', mountPath: '/b', readOnly: true },
      { name: 'mount-2', mountPath: '/c' },
    ]);
    expect(refusal({ volumes: [{ type: 'bind', source: '/a', target: '/b', bind: { propagation: 'rshared' } }] })).toContain(
      'set privileged: true',
    );
  });

  test('a local volume that is a folder of the node is that folder', () => {
    const folder = { driver: 'local', driver_opts: { type: 'none', o: 'bind', device: '/srv/data' } };
    const { spec, plan } = only({ volumes: ['data:/a'] }, { volumes: { data: folder } });
    expect(spec.volumes).toEqual([{ name: 'volume-data', hostPath: { path: '/srv/data' } }]);
    expect(plan.claims.size).toBe(0);
    const share = { driver_opts: { type: 'nfs', o: 'addr=10.0.0.1,rw', device: ':/x' } };
    expect(refusal({ volumes: ['data:/a'] }, { volumes: { data: share } })).toContain('volumes.data.driver_opts: ');
  });

  test('configs and secrets as files of their objects', () => {
    const { spec, container } = only(
      { configs: ['page'], secrets: [{ source: 'token', target: 'the-token', mode: '0400' }, 'outside'] },
      {
        configs: { page: { object: 'hello-page-x' } },
        secrets: { token: { object: 'hello-token-y' }, outside: { external: true, name: 'their-secret' } },
      },
    );
    expect(container.volumeMounts).toEqual([
      { name: 'config-0', mountPath: '/page', subPath: 'content', readOnly: true },
      { name: 'secret-0', mountPath: '/run/secrets/the-token', subPath: 'content', readOnly: true },
      { name: 'secret-1', mountPath: '/run/secrets/outside', subPath: 'content', readOnly: true },
    ]);
    expect(spec.volumes).toMatchObject([
      { configMap: { name: 'hello-page-x', items: [{ mode: 0o444 }] } },
      { secret: { secretName: 'hello-token-y', items: [{ mode: 0o400 }] } },
      { secret: { secretName: 'their-secret' } },
    ]);
  });

  test('a healthcheck as readiness, never as a reason to kill', () => {
    const { container } = only({ healthcheck: { test: 'curl x', interval: '500ms', timeout: '3s', retries: 5, start_period: '1m' } });
    expect(container.readinessProbe).toEqual({
      exec: { command: ['/bin/sh', '-c', 'curl x'] },
      periodSeconds: 1,
      timeoutSeconds: 3,
      failureThreshold: 5,
    });
    expect(container.livenessProbe).toBeUndefined();
    expect(only({ healthcheck: { test: ['NONE'] } }).service.hasHealth).toBe(false);
    expect(only({ healthcheck: { test: 'x', disable: true } }).container.readinessProbe).toBeUndefined();
  });

  test.each([
    ['no', 'Never', undefined],
    ['always', 'Always', undefined],
    ['unless-stopped', 'Always', undefined],
    ['on-failure', 'OnFailure', undefined],
    ['on-failure:3', 'OnFailure', 3],
  ])('restart %s as %s', (restart, policy, most) => {
    const { spec } = only({ restart });
    expect([spec.restartPolicy, spec.berth?.maxRestarts]).toEqual([policy, most]);
  });

  test('the restart policy of deploy, which wins', () => {
    const { spec } = only({ restart: 'always', deploy: { restart_policy: { condition: 'on-failure', max_attempts: 2 } } });
    expect([spec.restartPolicy, spec.berth?.maxRestarts]).toEqual(['OnFailure', 2]);
    expect(refusal({ restart: 'sometimes' })).toContain('services.web.restart: unknown restart policy "sometimes"');
  });

  test('limits that reserve nothing, and reservations', () => {
    expect(only({ cpus: 0.5, mem_limit: '64m' }).container.resources).toEqual({
      limits: { cpu: '500m', memory: '67108864' },
      requests: { cpu: '0', memory: '0' },
    });
    const { container } = only({ deploy: { resources: { limits: { cpus: '1' }, reservations: { cpus: '0.25', memory: '1g' } } } });
    expect(container.resources).toEqual({ limits: { cpu: '1000m' }, requests: { cpu: '250m', memory: '1073741824' } });
  });

  test('constraints as a node affinity, all of which hold', () => {
    const { spec } = only({
      platform: 'linux/arm64',
      deploy: {
        placement: { constraints: ['node.labels.disk == ssd', 'node.hostname!=a', 'node.role==manager', 'node.platform.arch==x86_64'] },
      },
    });
    expect(spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms).toEqual([
      {
        matchExpressions: [
          { key: 'disk', operator: 'In', values: ['ssd'] },
          { key: 'kubernetes.io/hostname', operator: 'NotIn', values: ['a'] },
          { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' },
          { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] },
          { key: 'kubernetes.io/os', operator: 'In', values: ['linux'] },
          { key: 'kubernetes.io/arch', operator: 'In', values: ['arm64'] },
        ],
      },
    ]);
    expect(refusal({ deploy: { placement: { constraints: ['node.id==x'] } } })).toContain('constraints on node.id are not supported');
  });

  test('who the process is and what it may do', () => {
    const { container, spec } = only({
      user: 'www:33',
      group_add: [100],
      cap_add: ['CAP_NET_ADMIN'],
      cap_drop: ['ALL'],
      read_only: true,
      security_opt: ['no-new-privileges:true'],
      sysctls: { 'net.core.somaxconn': 1024 },
      pid: 'host',
    });
    expect(container.berth).toEqual({ user: 'www:33' });
    expect(container.securityContext).toEqual({
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    });
    expect(spec.securityContext).toEqual({ supplementalGroups: [100], sysctls: [{ name: 'net.core.somaxconn', value: '1024' }] });
    expect(spec.hostPID).toBe(true);
    expect(refusal({ user: 'www:staff' })).toContain('the group "staff" must be a number');
  });

  test('a template whose hash changes with it, and with the names of its contents, and with nothing else', () => {
    const hash = (service: object, more: object = {}): string => only(service, more).service.template.hash;
    expect(hash({ scale: 3 })).toBe(hash({}));
    expect(hash({ ports: [] })).toBe(hash({}));
    expect(hash({ environment: ['A=1'] })).not.toBe(hash({}));
    const config = (object: string): string => hash({ configs: ['c'] }, { configs: { c: { object } } });
    expect(config('a')).not.toBe(config('b'));
  });
});

describe('what cannot be done is refused by path', () => {
  test.each([
    [{ init: true }, 'services.web.init: '],
    [{ network_mode: 'none' }, 'services.web.network_mode: '],
    [{ pull_policy: 'build' }, 'services.web.pull_policy: '],
    [{ ulimits: { nproc: 3 } }, 'services.web.ulimits: '],
    [{ volumes: [{ type: 'npipe', source: 'x', target: '/y' }] }, 'services.web.volumes[0].type: '],
    [{ deploy: { mode: 'global' } }, 'services.web.deploy.mode: '],
    [{ security_opt: ['seccomp:profile.json'] }, 'services.web.security_opt[0]: '],
    [{ extra_hosts: ['host.docker.internal:host-gateway'] }, 'services.web.extra_hosts[0]: '],
    [{ wat: 1 }, 'services.web.wat: unknown key'],
    [{ ports: [{ target: 'x' }] }, 'services.web.ports[0].target'],
  ])('%j', (service, path) => {
    expect(refusal(service)).toContain(path);
  });

  test('services whose objects would have one name', () => {
    expect(() => convert({ 'a.b': { image: 'x' }, a_b: { image: 'x' } })).toThrow('rename one of them');
    expect(() => convert({ web: { image: 'x', ports: ['80:80'] }, 'web-published': { image: 'x' } })).toThrow('rename one of them');
    expect(() => convert({ [`w${'e'.repeat(60)}b`]: { image: 'x' } })).toThrow('longer than 52 characters');
  });
});

test('every section makes pods that the API takes without a fault or a warning', () => {
  const { service } = only(
    {
      command: ['a'],
      environment: ['A=1'],
      ports: ['8080:80', '7000'],
      volumes: ['data:/a', '/x:/y', '/z'],
      tmpfs: ['/t'],
      shm_size: '64m',
      configs: ['c'],
      secrets: ['s'],
      healthcheck: { test: 'x' },
      restart: 'on-failure:3',
      cpus: 1,
      mem_limit: '1g',
      user: '1:1',
      group_add: [1],
      cap_add: ['ALL'],
      extra_hosts: ['a=1.2.3.4'],
      dns_search: ['x'],
      hostname: 'h',
      tty: true,
      stdin_open: true,
      working_dir: '/',
      platform: 'linux/amd64',
      sysctls: { 'net.core.somaxconn': '1' },
      stop_grace_period: '1m',
    },
    { volumes: { data: {} }, configs: { c: { object: 'c' } }, secrets: { s: { object: 's' } } },
  );
  expect(sections.length).toBeGreaterThan(10);
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'hello-web-1', namespace: 'default' },
    spec: structuredClone(service.template.spec),
  };
  podKind.defaults?.(pod);
  expect(podKind.validate?.(pod)?.list ?? []).toEqual([]);
  expect(podKind.warnings?.(pod, undefined)).toEqual([]);
});
