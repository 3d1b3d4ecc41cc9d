import { describe, expect, test } from '@jest/globals';
import { StatusError } from '#base/errors';
import { defineKind } from './define-kind.ts';
import { parseFieldSelector } from './field-selector.ts';
import { kindRegistry } from './kinds/index.ts';
import type { KubernetesObject } from './object.ts';
import { checkSelectable, completeKinds, KindRegistry, matchesFields, validateChange, validateNew } from './registry.ts';
import { decodeObject } from './schema/decode.ts';
import { resourceTable } from './shapes/resource-table.ts';
import * as resources from './shapes/resources.ts';

describe('the registry', () => {
  test('serves every stored resource of the table, and has a constant for each', () => {
    for (const { group, version, plural, stored } of resourceTable) {
      expect([plural, kindRegistry.find(group, version, plural) !== undefined]).toEqual([plural, stored]);
      const constant = Object.values(resources).find((one) => one.group === group && one.version === version && one.plural === plural);
      if (stored) expect(kindRegistry.find(group, version, plural)?.resource).toEqual(constant);
    }
  });

  test('finds a kind by what users write', () => {
    for (const name of ['po', 'Pod', 'pods', 'pods.v1.']) expect(kindRegistry.findName(name)?.resource.plural).toBe('pods');
    expect(kindRegistry.findName('deployments.apps')?.resource.group).toBe('apps');
    expect(kindRegistry.findName('ev')?.resource.group).toBe('');
    expect(kindRegistry.findName('horizontalpodautoscalers.v1.autoscaling')?.resource.version).toBe('v1');
    expect(kindRegistry.findName('nothing')).toBeUndefined();
  });

  test('every served kind can be decoded', () => {
    for (const { version } of kindRegistry.served)
      expect(decodeObject(version.typeName, { metadata: { name: 'x' } }).object.metadata).toEqual({ name: 'x' });
  });

  test('refuses two kinds under one name', () => {
    const [kind] = kindRegistry.kinds;
    if (kind === undefined) throw new Error('no kinds');
    expect(() => new KindRegistry([kind, kind])).toThrow('two kinds are served as');
  });

  test('takes a kind that no table has', () => {
    const toy = defineKind({
      group: 'toys.example.com',
      kind: 'Toy',
      names: { plural: 'toys', singular: 'toy', shortNames: [], categories: [] },
      scope: 'Namespaced',
      versions: [{ version: 'v1', typeName: 'berth.v1.Untyped' }],
    });
    const registry = new KindRegistry(completeKinds([toy]));
    expect(registry.find('toys.example.com', 'v1', 'toys')?.kind.verbs).toContain('watch');
    expect(() => defineKind({ group: 'toys.example.com', kind: 'Toy' })).toThrow('must give names');
  });
});

describe('rules for metadata', () => {
  const { kind } = kindRegistry.find('', 'v1', 'podtemplates') ?? {};
  const check = (metadata: object): string => messageOf(() => validateNew(kind!, { apiVersion: 'v1', kind: 'PodTemplate', metadata }));

  test('names, namespaces, labels, annotations, owners and finalizers', () => {
    expect(check({ name: 'x', namespace: 'default' })).toBe('');
    expect(check({ namespace: 'default' })).toBe(
      'PodTemplate "" is invalid: metadata.name: Required value: name or generateName is required',
    );
    expect(check({ name: 'Ä', namespace: 'default' })).toBe(
      'PodTemplate "Ä" is invalid: metadata.name: Invalid value: "Ä": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \'-\' or \'.\', ' +
        "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    );
    expect(check({ generateName: 'x-', namespace: 'default' })).toBe('');
    expect(check({ name: 'x' })).toContain('metadata.namespace: Required value');
    expect(check({ name: 'x', namespace: 'd', labels: { 'a/b/c': 'x', a: '-' } })).toMatch(
      /^PodTemplate "x" is invalid: \[metadata\.labels: Invalid value: "a\/b\/c": a qualified name must consist of .*, metadata\.labels: Invalid value: "-": a valid label must be/,
    );
    expect(check({ name: 'x', namespace: 'd', annotations: { a: 'x'.repeat(300_000) } })).toContain(
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    );
    expect(check({ name: 'x', namespace: 'd', finalizers: ['mine'] })).toContain(
      'neither a standard finalizer name nor is it fully qualified',
    );
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u', controller: true };
    expect(check({ name: 'x', namespace: 'd', ownerReferences: [owner, owner] })).toContain(
      'Only one reference can have Controller set to true',
    );
  });

  test('what may not change', () => {
    const old: KubernetesObject = {
      apiVersion: 'v1',
      kind: 'PodTemplate',
      metadata: { name: 'x', namespace: 'd', uid: 'a', finalizers: ['e.com/a'] },
    };
    const change = (metadata: object): string =>
      messageOf(() => validateChange(kind!, { ...old, metadata: { ...old.metadata, ...metadata } }, old));
    expect(change({ labels: { a: 'b' } })).toBe('');
    expect(change({ uid: 'b' })).toBe('PodTemplate "x" is invalid: metadata.uid: Invalid value: "b": field is immutable');
    const dying = { ...old, metadata: { ...old.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const more = { ...dying, metadata: { ...dying.metadata, finalizers: ['e.com/a', 'e.com/b'] } };
    expect(messageOf(() => validateChange(kind!, more, dying))).toContain('no new finalizers can be added if the object is being deleted');
  });
});

test('objects are selected by name and namespace, and by nothing that their kind does not name', () => {
  const served = kindRegistry.find('', 'v1', 'podtemplates')!;
  const object = { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 'x', namespace: 'd' } };
  expect(matchesFields(served, parseFieldSelector('metadata.name=x,metadata.namespace!=e'), object)).toBe(true);
  expect(matchesFields(served, parseFieldSelector('metadata.name=y'), object)).toBe(false);
  expect(messageOf(() => checkSelectable(served, parseFieldSelector('spec.foo=y')))).toContain('"spec.foo" is not a known field selector');
});

function messageOf(run: () => unknown): string {
  try {
    run();
    return '';
  } catch (error) {
    if (error instanceof StatusError) return error.message;
    throw error;
  }
}
