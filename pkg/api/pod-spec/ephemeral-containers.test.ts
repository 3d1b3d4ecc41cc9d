import { describe, expect, test } from '@jest/globals';
import { pod as podKind } from '../kinds/pod.ts';
import { validateNew, validateSubresourceChange } from '../registry.ts';
import type { EphemeralContainer, Pod } from '../shapes/types/core-v1.ts';
import { ephemeralContainersSubresource as subresource } from './ephemeral-containers.ts';

const podOf = (...ephemeralContainers: EphemeralContainer[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'main', image: 'i' }], ...(ephemeralContainers.length === 0 ? {} : { ephemeralContainers }) },
});

/** What a write makes of the pod; throws what is wrong with it. */
function write(old: Pod, ...containers: EphemeralContainer[]): Pod {
  const next = subresource.write!(old, podOf(...containers), 0);
  validateSubresourceChange(podKind as never, 'ephemeralcontainers', next, old);
  return next;
}

const debug = { name: 'debug', image: 'tools:1' };

describe('the ephemeralcontainers subresource', () => {
  test('adds containers, completes them, and changes nothing else', () => {
    const next = write(podOf(), { ...debug, targetContainerName: 'main', stdin: true, tty: true, resources: {} });
    expect(next.spec.ephemeralContainers).toMatchObject([
      { name: 'debug', imagePullPolicy: 'IfNotPresent', terminationMessagePolicy: 'File' },
    ]);
    expect(next.spec.containers).toEqual(podOf().spec.containers);
    const more = write(next, ...next.spec.ephemeralContainers!, { ...debug, name: 'second' });
    expect(more.spec.ephemeralContainers?.map(({ name }) => name)).toEqual(['debug', 'second']);
  });

  test.each<[string, EphemeralContainer, string]>([
    ['a name that a container has', { ...debug, name: 'main' }, 'spec.ephemeralContainers[0].name: Duplicate value: "main"'],
    ['no image', { name: 'debug' }, 'spec.ephemeralContainers[0].image: Required value'],
    ['ports', { ...debug, ports: [{ containerPort: 80 }] }, 'ports: Forbidden: cannot be set for an Ephemeral Container'],
    ['a probe', { ...debug, livenessProbe: { exec: { command: ['true'] } } }, 'livenessProbe: Forbidden'],
    ['a target that there is not', { ...debug, targetContainerName: 'other' }, 'targetContainerName: Not found: "other"'],
  ])('refuses %s', (_what, container, message) => {
    expect(() => write(podOf(), container)).toThrow(message);
  });

  test('refuses to change one or to take it away', () => {
    const old = write(podOf(), debug);
    expect(() => write(old)).toThrow('existing ephemeral containers "debug" may not be removed');
    expect(() => write(old, { ...debug, image: 'other:1' })).toThrow('existing ephemeral containers "debug" may not be changed');
    expect(() => write(old, { ...debug, name: 'other' })).toThrow('existing ephemeral containers "debug" may not be removed');
  });
});

test('a new pod has none', () => {
  expect(() => validateNew(podKind as never, podOf(debug))).toThrow('spec.ephemeralContainers: Forbidden: cannot be set on create');
});
