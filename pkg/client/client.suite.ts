/**
 * What every `Client` must do, whichever transport it goes over: the contract of the API as the parts of Berth rely on it. Run by whoever has a
 * transport (`describeClient`): the local one beside the verbs, HTTP beside the HTTP face.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '#api/object';
import { configMaps, deployments, namespaces, nodes, secrets } from '#api/shapes/resources';
import type { Deployment } from '#api/shapes/types/apps-v1';
import type { ConfigMap } from '#api/shapes/types/core-v1';
import { StatusError } from '#base/errors';
import type { Client } from './client.ts';
import type { WatchEvent, WatchOptions } from './transport.ts';

export interface ClientUnderTest {
  /** As a member of `system:masters` unless a user is given. */
  client(user?: { readonly name: string; readonly groups: readonly string[] }): Client;
  stop(): Promise<void>;
}

export function describeClient(title: string, start: () => Promise<ClientUnderTest>): void {
  describe(title, () => {
    let server: ClientUnderTest;
    let client: Client;
    let namespace: string;
    let count = 0;

    beforeAll(async () => {
      server = await start();
      client = server.client();
    });
    afterAll(async () => {
      await server.stop();
    });
    beforeEach(async () => {
      namespace = `ns-${++count}`;
      await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
    });

    const draft = (name: string, more: Partial<ConfigMap> = {}): Omit<ConfigMap, 'apiVersion' | 'kind'> => ({
      data: { key: 'value' },
      ...more,
      metadata: { name, namespace, ...more.metadata },
    });
    const key = (name: string) => ({ name, namespace });
    const deployment = (name: string): Omit<Deployment, 'apiVersion' | 'kind'> => ({
      metadata: { name, namespace },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });

    describe('create and get', () => {
      test('gives the object its identity', async () => {
        const made = await client.create(configMaps, draft('a'));
        expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace }, data: { key: 'value' } });
        expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
        expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        expect(Number(made.metadata.resourceVersion)).toBeGreaterThan(0);
        expect(await client.get(configMaps, key('a'))).toEqual(made);
      });

      test('generates names, and gives each object a resourceVersion of its own', async () => {
        const objects = await Promise.all(
          Array.from({ length: 5 }, () => client.create(configMaps, { metadata: { generateName: 'gen-', namespace } })),
        );
        expect(new Set(objects.map((object) => object.metadata.name)).size).toBe(5);
        expect(new Set(objects.map((object) => object.metadata.resourceVersion)).size).toBe(5);
        for (const object of objects) expect(object.metadata.name).toMatch(/^gen-[a-z0-9]{5}$/);
      });

      test('does not take what only the server may say', async () => {
        const made = await client.create(
          configMaps,
          draft('a', {
            metadata: { uid: 'mine', creationTimestamp: '2001-01-01T00:00:00Z', deletionTimestamp: '2001-01-01T00:00:00Z', generation: 7 },
          }),
        );
        expect(made.metadata.uid).not.toBe('mine');
        expect(made.metadata.creationTimestamp).not.toBe('2001-01-01T00:00:00Z');
        expect(made.metadata.deletionTimestamp).toBeUndefined();
        expect(made.metadata.generation).toBeUndefined();
      });

      test('refuses what exists, what does not fit and what is nowhere', async () => {
        await client.create(configMaps, draft('a'));
        await expectStatus(client.create(configMaps, draft('a')), 'AlreadyExists', 'configmaps "a" already exists');
        await expectStatus(client.get(configMaps, key('nothing')), 'NotFound', 'configmaps "nothing" not found');
        expect(await client.find(configMaps, key('nothing'))).toBeUndefined();
        await expectStatus(
          client.create(configMaps, draft('Not_Valid')),
          'Invalid',
          /^ConfigMap "Not_Valid" is invalid: metadata.name: Invalid value/,
        );
        await expectStatus(
          client.create(configMaps, draft('r', { metadata: { resourceVersion: '1' } })),
          'BadRequest',
          /resourceVersion should not be set/,
        );
        const elsewhere = { metadata: { name: 'a', namespace: 'no-such-namespace' } };
        await expectStatus(client.create(configMaps, elsewhere), 'NotFound', 'namespaces "no-such-namespace" not found');
        const wrong = { metadata: { name: 'w', namespace }, data: { key: 5 } } as unknown as ConfigMap;
        await expectStatus(client.create(configMaps, wrong), 'BadRequest', /cannot be handled as a ConfigMap/);
        const error = await client.get(deployments, key('nothing')).catch((reason: unknown) => reason);
        expect((error as StatusError).message).toBe('deployments.apps "nothing" not found');
        expect((error as StatusError).details).toEqual({ name: 'nothing', group: 'apps', kind: 'deployments' });
      });

      test('does nothing in a dry run but say what it would do', async () => {
        const made = await client.create(configMaps, draft('a'), { dryRun: true });
        expect(made.metadata.uid).toBeDefined();
        expect(await client.find(configMaps, key('a'))).toBeUndefined();
        await client.create(configMaps, draft('a'));
        await expectStatus(client.create(configMaps, draft('a'), { dryRun: true }), 'AlreadyExists', /already exists/);
      });

      test('refuses unknown fields when asked to be strict', async () => {
        const odd = { ...draft('a'), bogus: 1 } as unknown as ConfigMap;
        await expectStatus(
          client.create(configMaps, odd, { fieldValidation: 'Strict' }),
          'BadRequest',
          'strict decoding error: unknown field "bogus"',
        );
        const made = await client.create(configMaps, odd);
        expect(made).not.toHaveProperty('bogus');
      });

      test('refuses objects that are too large to store', async () => {
        const large = draft('large', { data: { x: 'x'.repeat(1_600_000) } });
        await expect(client.create(configMaps, large)).rejects.toMatchObject({ code: expect.any(Number) });
        expect(await client.find(configMaps, key('large'))).toBeUndefined();
      });

      test('refuses objects that are too large to send', async () => {
        const large = draft('large', { data: { x: 'x'.repeat(4_000_000) } });
        const refusal = await client.create(configMaps, large).catch((error: { readonly reason?: string }) => error.reason);
        expect(['RequestEntityTooLarge', 'Invalid']).toContain(refusal);
        expect(await client.find(configMaps, key('large'))).toBeUndefined();
      });
    });

    describe('update and patch', () => {
      test('writes what changed, under a new resourceVersion', async () => {
        const made = await client.create(configMaps, draft('a'));
        const updated = await client.update(configMaps, { ...made, data: { key: 'other' } });
        expect(updated.data).toEqual({ key: 'other' });
        expect(Number(updated.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
        expect(updated.metadata.uid).toBe(made.metadata.uid);
        expect(await client.get(configMaps, key('a'))).toEqual(updated);
      });

      test('writes nothing where nothing changed', async () => {
        const made = await client.create(configMaps, draft('a'));
        expect(await client.update(configMaps, made)).toEqual(made);
        expect(await client.patch(configMaps, key('a'), 'merge', { data: { key: 'value' } })).toEqual(made);
      });

      test('refuses a change of an older state, in the words of Kubernetes', async () => {
        const made = await client.create(configMaps, draft('a'));
        await client.update(configMaps, { ...made, data: { key: 'first' } });
        const words =
          'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again';
        await expectStatus(client.update(configMaps, { ...made, data: { key: 'second' } }), 'Conflict', words);
        const old = { metadata: { resourceVersion: made.metadata.resourceVersion }, data: { key: 'x' } };
        await expectStatus(client.patch(configMaps, key('a'), 'merge', old), 'Conflict', words);
        const { resourceVersion: _, ...metadata } = made.metadata;
        const unconditional = await client.update(configMaps, { ...made, metadata, data: { key: 'third' } });
        expect(unconditional.data).toEqual({ key: 'third' });
        await expectStatus(
          client.update(configMaps, { ...made, metadata: { name: 'a', namespace, uid: 'another' } }),
          'Conflict',
          new RegExp(`Precondition failed: UID in precondition: another, UID in object meta: ${made.metadata.uid}`),
        );
      });

      test('makes nothing that does not exist', async () => {
        await expectStatus(
          client.update(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', ...draft('no') }),
          'NotFound',
          'configmaps "no" not found',
        );
        await expectStatus(client.patch(configMaps, key('no'), 'merge', {}), 'NotFound', 'configmaps "no" not found');
      });

      test('patches in three ways, and not yet by apply', async () => {
        await client.create(configMaps, draft('a', { metadata: { finalizers: ['x.io/one'] } }));
        const merged = await client.patch(configMaps, key('a'), 'merge', { data: { key: null, more: '1' } });
        expect(merged.data).toEqual({ more: '1' });
        const strategic = await client.patch(configMaps, key('a'), 'strategic', {
          metadata: { finalizers: ['x.io/two'] },
          data: { more: '2' },
        });
        expect(strategic.metadata.finalizers?.toSorted()).toEqual(['x.io/one', 'x.io/two']);
        const patched = await client.patch(configMaps, key('a'), 'json', [
          { op: 'test', path: '/data/more', value: '2' },
          { op: 'replace', path: '/data/more', value: '3' },
          { op: 'remove', path: '/metadata/finalizers' },
        ]);
        expect(patched.data).toEqual({ more: '3' });
        expect(patched.metadata.finalizers).toBeUndefined();
        await expectStatus(
          client.patch(configMaps, key('a'), 'json', [{ op: 'test', path: '/data/more', value: 'x' }]),
          'Invalid',
          /rejected our request/,
        );
        await expectStatus(
          client.patch(configMaps, key('a'), 'apply', { metadata: {} }),
          'UnsupportedMediaType',
          /accepted media types include/,
        );
      });

      test('merges patches of many writers', async () => {
        await client.create(configMaps, draft('a', { data: {} }));
        await Promise.all(
          Array.from({ length: 20 }, (_, index) => client.patch(configMaps, key('a'), 'merge', { data: { [`k${index}`]: 'v' } })),
        );
        expect(Object.keys((await client.get(configMaps, key('a'))).data ?? {})).toHaveLength(20);
      });

      test('keeps the identity of an object', async () => {
        const made = await client.create(configMaps, draft('a'));
        await expectStatus(
          client.patch(configMaps, key('a'), 'merge', { metadata: { name: 'b' } }),
          'BadRequest',
          'the name of the object (b) does not match the name on the URL (a)',
        );
        const kept = await client.update(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace }, data: {} });
        expect(kept.metadata).toMatchObject({ uid: made.metadata.uid, creationTimestamp: made.metadata.creationTimestamp });
      });

      test('does nothing in a dry run', async () => {
        const made = await client.create(configMaps, draft('a'));
        const dry = await client.update(configMaps, { ...made, data: { key: 'dry' } }, { dryRun: true });
        expect(dry.data).toEqual({ key: 'dry' });
        expect(await client.get(configMaps, key('a'))).toEqual(made);
      });

      test('counts generations of the spec, and keeps status and spec apart', async () => {
        const made = await client.create(deployments, { ...deployment('d'), status: { replicas: 9 } } as Deployment);
        expect(made.metadata.generation).toBe(1);
        expect(made.status?.replicas).not.toBe(9);
        const status = await client.updateStatus(deployments, {
          ...made,
          spec: { ...made.spec, replicas: 5 },
          status: { observedGeneration: 1, readyReplicas: 1, replicas: 1 },
        });
        expect(status.metadata.generation).toBe(1);
        expect(status.spec.replicas).toBe(1);
        expect(status.status).toMatchObject({ observedGeneration: 1, readyReplicas: 1 });
        const scaled = await client.update(deployments, { ...status, spec: { ...status.spec, replicas: 2 }, status: {} });
        expect(scaled.metadata.generation).toBe(2);
        expect(scaled.status).toMatchObject({ observedGeneration: 1, readyReplicas: 1 });
      });

      test('scales through the scale subresource', async () => {
        await client.create(deployments, deployment('d'));
        const scale = await client.patch(deployments, key('d'), 'merge', { spec: { replicas: 4 } }, { subresource: 'scale' });
        expect(scale).toMatchObject({
          kind: 'Scale',
          apiVersion: 'autoscaling/v1',
          spec: { replicas: 4 },
          metadata: { name: 'd', namespace },
        });
        const scaled = await client.get(deployments, key('d'));
        expect(scaled.spec.replicas).toBe(4);
        expect(scaled.metadata.generation).toBe(2);
      });
    });

    describe('delete', () => {
      test('removes, once', async () => {
        await client.create(configMaps, draft('a'));
        await client.delete(configMaps, key('a'));
        expect(await client.find(configMaps, key('a'))).toBeUndefined();
        await expectStatus(client.delete(configMaps, key('a')), 'NotFound', 'configmaps "a" not found');
      });

      test('waits for finalizers, takes no new ones, and goes with the last', async () => {
        await client.create(configMaps, draft('a', { metadata: { finalizers: ['x.io/hold'] } }));
        await client.delete(configMaps, key('a'));
        const held = await client.get(configMaps, key('a'));
        expect(held.metadata.deletionTimestamp).toBeDefined();
        await client.delete(configMaps, key('a'));
        expect(await client.get(configMaps, key('a'))).toEqual(held);
        await expectStatus(
          client.patch(configMaps, key('a'), 'merge', { metadata: { finalizers: ['x.io/hold', 'x.io/more'] } }),
          'Invalid',
          /no new finalizers can be added if the object is being deleted/,
        );
        const kept = await client.patch(configMaps, key('a'), 'merge', { metadata: { deletionTimestamp: null }, data: { key: 'x' } });
        expect(kept.metadata.deletionTimestamp).toBe(held.metadata.deletionTimestamp);
        await client.patch(configMaps, key('a'), 'merge', { metadata: { finalizers: null } });
        expect(await client.find(configMaps, key('a'))).toBeUndefined();
      });

      test('leaves to the garbage collector what the policy says', async () => {
        await client.create(configMaps, draft('a'));
        await client.create(configMaps, draft('b'));
        await client.delete(configMaps, key('a'), { propagationPolicy: 'Foreground' });
        await client.delete(configMaps, key('b'), { propagationPolicy: 'Orphan' });
        expect((await client.get(configMaps, key('a'))).metadata.finalizers).toEqual(['foregroundDeletion']);
        expect((await client.get(configMaps, key('b'))).metadata.finalizers).toEqual(['orphan']);
        await client.delete(configMaps, key('a'), { propagationPolicy: 'Background' });
        expect(await client.find(configMaps, key('a'))).toBeUndefined();
      });

      test('honours preconditions', async () => {
        const made = await client.create(configMaps, draft('a'));
        await expectStatus(
          client.delete(configMaps, key('a'), { preconditions: { uid: 'x' } }),
          'Conflict',
          /Precondition failed: UID in precondition: x/,
        );
        await expectStatus(
          client.delete(configMaps, key('a'), { preconditions: { resourceVersion: '1' } }),
          'Conflict',
          /has been modified/,
        );
        await client.delete(configMaps, key('a'), { dryRun: true });
        const { uid = '', resourceVersion = '' } = made.metadata;
        await client.delete(configMaps, key('a'), { preconditions: { uid, resourceVersion } });
        expect(await client.find(configMaps, key('a'))).toBeUndefined();
      });
    });

    describe('list', () => {
      test('is in order, of one namespace or all, and shows every write before it', async () => {
        for (const one of ['c', 'a', 'b']) await client.create(configMaps, draft(one));
        const list = await client.list(configMaps, { namespace });
        expect(list).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMapList' });
        expect(list.items.map((item) => item.metadata.name)).toEqual(['a', 'b', 'c']);
        const everywhere = await client.list(configMaps);
        expect(everywhere.items.filter((item) => item.metadata.namespace === namespace)).toHaveLength(3);
        expect(await client.list(configMaps, { namespace: 'nowhere' })).toMatchObject({ items: [] });
      });

      test('chooses by labels and fields', async () => {
        await client.create(configMaps, draft('a', { metadata: { labels: { app: 'x', tier: '1' } } }));
        await client.create(configMaps, draft('b', { metadata: { labels: { app: 'y' } } }));
        const names = async (options: object): Promise<(string | undefined)[]> =>
          (await client.list(configMaps, { namespace, ...options })).items.map((item) => item.metadata.name);
        expect(await names({ labelSelector: 'app in (x,z),tier' })).toEqual(['a']);
        expect(await names({ labelSelector: 'app!=x' })).toEqual(['b']);
        expect(await names({ fieldSelector: 'metadata.name=b' })).toEqual(['b']);
        expect(await names({ fieldSelector: 'metadata.name=b', labelSelector: 'app=x' })).toEqual([]);
        expect(await names({ fieldSelector: `metadata.namespace=${namespace},metadata.name!=b` })).toEqual(['a']);
        await expectStatus(
          client.list(configMaps, { namespace, fieldSelector: 'data.x=1' }),
          'BadRequest',
          /"data.x" is not a known field selector/,
        );
        await expectStatus(client.list(configMaps, { namespace, labelSelector: 'a in' }), 'BadRequest', /unable to parse requirement/);
      });

      test('goes on page by page in the state of the first page', async () => {
        for (let index = 0; index < 7; index++) await client.create(configMaps, draft(`c${index}`));
        const first = await client.list(configMaps, { namespace, limit: 3 });
        expect(first.items).toHaveLength(3);
        expect(first.metadata.remainingItemCount).toBe(4);
        await client.delete(configMaps, key('c4'));
        await client.create(configMaps, draft('c41'));
        const second = await client.list(configMaps, { namespace, limit: 3, continue: first.metadata.continue ?? '' });
        expect(second.items.map((item) => item.metadata.name)).toEqual(['c3', 'c4', 'c5']);
        expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
        const third = await client.list(configMaps, { namespace, limit: 3, continue: second.metadata.continue ?? '' });
        expect(third.items.map((item) => item.metadata.name)).toEqual(['c6']);
        expect(third.metadata.continue ?? '').toBe('');
        await expectStatus(client.list(configMaps, { namespace, continue: 'nonsense' }), 'BadRequest', /continue key is not valid/);
      });

      test('shows the state that was asked for', async () => {
        const made = await client.create(configMaps, draft('a'));
        const { resourceVersion = '' } = made.metadata;
        await client.create(configMaps, draft('b'));
        const exact = await client.list(configMaps, { namespace, resourceVersion, resourceVersionMatch: 'Exact' });
        expect(exact.items).toHaveLength(1);
        expect(exact.metadata.resourceVersion).toBe(resourceVersion);
        expect((await client.list(configMaps, { namespace, resourceVersion, resourceVersionMatch: 'NotOlderThan' })).items).toHaveLength(2);
        expect((await client.list(configMaps, { namespace, resourceVersion: '0' })).items).toHaveLength(2);
        await expectStatus(client.list(configMaps, { namespace, resourceVersion: '999999999' }), 'Timeout', /Too large resource version/);
        await expectStatus(client.list(configMaps, { namespace, resourceVersion: 'x' }), 'BadRequest', /resourceVersion/);
        await expectStatus(
          client.list(configMaps, { namespace, resourceVersionMatch: 'Exact' }),
          'Invalid',
          /forbidden unless resourceVersion is provided/,
        );
      });
    });

    describe('watch', () => {
      test('gives what happens after a revision, with selectors applied', async () => {
        const { metadata } = await client.list(configMaps, { namespace });
        await using watch = watching(client, namespace, { resourceVersion: metadata.resourceVersion ?? '', labelSelector: 'app=x' });
        await client.create(configMaps, draft('other'));
        const made = await client.create(configMaps, draft('a', { metadata: { labels: { app: 'x' } } }));
        expect(await watch.next()).toEqual({ type: 'ADDED', object: made });
        const changed = await client.patch(configMaps, key('a'), 'merge', { data: { key: '2' } });
        expect(await watch.next()).toEqual({ type: 'MODIFIED', object: changed });
        const left = await client.patch(configMaps, key('a'), 'merge', { metadata: { labels: { app: 'y' } } });
        const gone = await watch.next();
        expect(gone.type).toBe('DELETED');
        expect(gone.object.metadata).toMatchObject({ labels: { app: 'x' }, resourceVersion: left.metadata.resourceVersion });
        await client.patch(configMaps, key('a'), 'merge', { metadata: { labels: { app: 'x' } } });
        expect((await watch.next()).type).toBe('ADDED');
        await client.delete(configMaps, key('a'));
        const deleted = await watch.next();
        expect(deleted.type).toBe('DELETED');
        expect(Number(deleted.object.metadata.resourceVersion)).toBeGreaterThan(Number(left.metadata.resourceVersion) + 1);
      });

      test('begins with what there is, and marks its end when asked to', async () => {
        await client.create(configMaps, draft('a'));
        await client.create(configMaps, draft('b'));
        {
          await using plain = watching(client, namespace, {});
          expect([(await plain.next()).object.metadata.name, (await plain.next()).object.metadata.name]).toEqual(['a', 'b']);
        }
        await using marked = watching(client, namespace, {
          sendInitialEvents: true,
          resourceVersionMatch: 'NotOlderThan',
          allowWatchBookmarks: true,
        });
        expect([(await marked.next()).type, (await marked.next()).type]).toEqual(['ADDED', 'ADDED']);
        const end = await marked.next();
        expect(end).toMatchObject({
          type: 'BOOKMARK',
          object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
        });
        const later = await client.create(configMaps, draft('c'));
        expect(Number(later.metadata.resourceVersion)).toBeGreaterThan(Number(end.object.metadata.resourceVersion));
        expect(await marked.next()).toEqual({ type: 'ADDED', object: later });
      });

      test('marks the end also where there is nothing', async () => {
        await using watch = watching(client, namespace, {
          sendInitialEvents: true,
          resourceVersionMatch: 'NotOlderThan',
          allowWatchBookmarks: true,
        });
        expect((await watch.next()).type).toBe('BOOKMARK');
      });

      test('ends when its time is up and when its signal aborts', async () => {
        const timed: WatchEvent[] = [];
        for await (const event of client.watch(configMaps, { namespace, timeoutSeconds: 1 }, new AbortController().signal))
          timed.push(event);
        expect(timed).toEqual([]);
        const stop = new AbortController();
        const iterator = client.watch(configMaps, { namespace }, stop.signal)[Symbol.asyncIterator]();
        const next = iterator.next();
        stop.abort();
        expect((await next).done).toBe(true);
      });

      test('refuses options that make no sense, and revisions of the future', async () => {
        const first = (options: WatchOptions): Promise<unknown> =>
          client
            .watch(configMaps, { namespace, ...options }, new AbortController().signal)
            [Symbol.asyncIterator]()
            .next();
        await expectStatus(
          first({ sendInitialEvents: true }),
          'Invalid',
          /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/,
        );
        await expectStatus(first({ resourceVersion: 'x' }), 'BadRequest', /resourceVersion/);
        await expectStatus(first({ fieldSelector: 'data.x=1' }), 'BadRequest', /is not a known field selector/);
        await expectStatus(first({ resourceVersion: '999999999' }), 'Timeout', /Too large resource version/);
      });
    });

    describe('authorization', () => {
      test('refuses whoever has no right, in the words of Kubernetes', async () => {
        const ann = server.client({ name: 'ann', groups: ['system:authenticated'] });
        await expectStatus(
          ann.list(secrets, { namespace }),
          'Forbidden',
          `secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "${namespace}"`,
        );
        await expectStatus(
          ann.get(nodes, { name: 'n' }),
          'Forbidden',
          'nodes "n" is forbidden: User "ann" cannot get resource "nodes" in API group "" at the cluster scope',
        );
        await expectStatus(ann.create(configMaps, draft('a')), 'Forbidden', /cannot create resource "configmaps"/);
        await expectStatus(
          ann.watch(configMaps, { namespace }, new AbortController().signal)[Symbol.asyncIterator]().next(),
          'Forbidden',
          /cannot watch resource "configmaps"/,
        );
      });
    });

    describe('namespaces', () => {
      test('take nothing new once they are going, and wait for their content', async () => {
        await client.delete(namespaces, { name: namespace });
        const going = await client.get(namespaces, { name: namespace });
        expect(going.metadata.deletionTimestamp).toBeDefined();
        expect(going.status?.phase).toBe('Terminating');
        await expectStatus(
          client.create(configMaps, draft('late')),
          'Forbidden',
          `configmaps "late" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
        );
      });
    });
  });
}

interface Watching extends AsyncDisposable {
  next(): Promise<WatchEvent>;
}

function watching(client: Client, namespace: string, options: WatchOptions): Watching {
  const stop = new AbortController();
  const iterator = client.watch(configMaps, { namespace, ...options }, stop.signal)[Symbol.asyncIterator]();
  return {
    next: async () => {
      const result = await iterator.next();
      if (result.done === true) throw new Error('the watch ended');
      return result.value as WatchEvent<KubernetesObject>;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await iterator.return?.();
    },
  };
}

async function expectStatus(promise: Promise<unknown>, reason: StatusError['reason'], message: string | RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StatusError);
  const status = error as StatusError;
  expect({ reason: status.reason, message: status.message }).toEqual({
    reason,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
}
