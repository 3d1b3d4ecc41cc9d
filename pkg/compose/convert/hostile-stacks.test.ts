/** Whatever a Stack holds that a client of the API made, it is planned or refused with a ComposeError: the controller goes on with the others. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ComposeError } from '../compose-error.ts';
import { readStackSpec } from '../stack-spec.ts';
import { convertStack } from './convert-stack.ts';

const seed = 20_260_113;

const leaf = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1.5,
  1e21,
  '',
  'a',
  'a:b',
  '80',
  '80:80/tcp',
  '1g',
  '10s',
  '0'.repeat(5000),
  '~',
  './a',
  '/a',
  '__proto__',
  'service_healthy',
  '*',
  '5%',
  'none',
  'bridge',
  'host',
);
const keys = [
  'type',
  'source',
  'target',
  'published',
  'protocol',
  'mode',
  'name',
  'external',
  'test',
  'interval',
  'condition',
  'required',
  'limits',
  'reservations',
  'resources',
  'replicas',
  'cpus',
  'memory',
  'a',
  'default',
  'aliases',
  'driver',
  'content',
  'file',
  'restart_policy',
  'placement',
  'constraints',
  'update_config',
  '__proto__',
  'constructor',
  '',
];
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom(...keys), tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries) as object),
  ),
}));
const serviceKeys = [
  'image',
  'command',
  'entrypoint',
  'environment',
  'ports',
  'volumes',
  'networks',
  'configs',
  'secrets',
  'depends_on',
  'deploy',
  'healthcheck',
  'labels',
  'restart',
  'stop_grace_period',
  'user',
  'cap_add',
  'tmpfs',
  'ulimits',
  'sysctls',
  'extra_hosts',
  'scale',
  'dns',
  'init',
  'shm_size',
  'working_dir',
  'network_mode',
  'pid',
  'ipc',
  'security_opt',
  'read_only',
  'hostname',
  'expose',
  'annotations',
  'unknown',
  '__proto__',
];
const service = fc
  .array(fc.tuple(fc.constantFrom(...serviceKeys), value), { maxLength: 4 })
  .map((entries) => ({ image: 'i', ...Object.fromEntries(entries) }));
const names = fc.constantFrom('a', 'b', 'A_b.c', '', '__proto__', 'constructor', 'x y');

function survives(spec: unknown): void {
  try {
    convertStack({ name: 's', namespace: 'd' }, readStackSpec(spec as Readonly<Record<string, unknown>>, 's'));
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    expect(error.message).not.toBe('');
  }
  expect(({} as { a?: unknown }).a).toBeUndefined();
}

test('any services', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, service), { maxLength: 3 }), (services) => survives({ services: Object.fromEntries(services) })),
    { seed, numRuns: 1500 },
  );
});

test('any parts', () => {
  const part = fc.constantFrom('services', 'volumes', 'networks', 'configs', 'secrets', 'name', 'x-a', 'unknown');
  fc.assert(
    fc.property(fc.array(fc.tuple(part, value), { maxLength: 4 }), (parts) =>
      survives({ services: { a: { image: 'i' } }, ...Object.fromEntries(parts) }),
    ),
    { seed, numRuns: 500 },
  );
});
