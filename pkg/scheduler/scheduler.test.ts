import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nodes, persistentVolumeClaims, pods } from '#api/shapes/resources';
import { StatusError } from '#base/errors';
import { testNode, testPod, World, withWorld } from './testing.ts';
import { selectedNodeAnnotation } from './volume-claims.ts';

describe('the scheduler', () => {
  test('binds a pod to a node that has room, and says so', () =>
    withWorld(async (world) => {
      await world.node(testNode('small', { cpu: '1' }));
      await world.node(testNode('large', { cpu: '8' }));
      await world.pass(100);
      await world.pod(testPod('web', { cpu: '2' }));
      await world.pass(100);
      expect(await world.nodeOf('web')).toBe('large');
      expect(await world.eventsOf('web')).toMatchObject([
        {
          type: 'Normal',
          reason: 'Scheduled',
          message: 'Successfully assigned default/web to large',
          source: { component: 'default-scheduler' },
        },
      ]);
    }));

  test('says within seconds why a pod has no node, on the pod and as an event, and lets it go when that ends', () =>
    withWorld(async (world) => {
      await world.pod(testPod('web', { cpu: '2' }));
      await world.pass(100);
      expect((await world.eventsOf('web'))[0]).toMatchObject({
        type: 'Warning',
        reason: 'FailedScheduling',
        message: 'no nodes available to schedule pods',
      });
      await world.node(testNode('small', { cpu: '1' }));
      await world.node(testNode('tainted', { spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] } }));
      await world.pass(6_000);
      const pod = await world.client.get(pods, { namespace: 'default', name: 'web' });
      expect(pod.status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }]);
      expect(pod.status?.conditions?.[0]?.message).toContain(
        '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.',
      );
      expect(pod.status?.conditions?.[0]?.message).toContain('What would help: request at most 1 cpu (small has 1 in all).');
      await world.client.update(nodes, { ...(await world.client.get(nodes, { name: 'tainted' })), spec: {} });
      await world.pass(100);
      expect(await world.nodeOf('web')).toBe('tainted');
    }));

  test('tells again every few minutes of a pod that still waits, counting', () =>
    withWorld(async (world) => {
      await world.pod(testPod('web'));
      await world.pass(3_000_000);
      const told = await world.eventsOf('web');
      expect(told).toHaveLength(1);
      expect(told[0]?.count).toBeGreaterThanOrEqual(9);
    }));

  test('takes those with priority first, then the oldest', () =>
    withWorld(async (world) => {
      for (const name of ['old', 'young']) await world.pod(testPod(name, { cpu: '1' }));
      await world.pod(testPod('urgent', { cpu: '1', spec: { priority: 100 } }));
      await world.pass(100);
      await world.node(testNode('a', { cpu: '2' }));
      await world.pass(100);
      expect([await world.nodeOf('old'), await world.nodeOf('young'), await world.nodeOf('urgent')]).toEqual(['a', undefined, 'a']);
    }));

  test('gives the room of a pod that ended or was deleted to one that waits', () =>
    withWorld(async (world) => {
      await world.node(testNode('a', { cpu: '1' }));
      for (const name of ['first', 'second', 'third']) {
        await world.pod(testPod(name, { cpu: '1' }));
        await world.pass(100);
      }
      const first = await world.client.get(pods, { namespace: 'default', name: 'first' });
      await world.client.update(pods, { ...first, status: { phase: 'Succeeded' } });
      await world.pass(100);
      expect([await world.nodeOf('second'), await world.nodeOf('third')]).toEqual(['a', undefined]);
      await world.client.delete(pods, { namespace: 'default', name: 'second' });
      await world.pass(100);
      expect(await world.nodeOf('third')).toBe('a');
    }));

  test('leaves pods alone that are gated, or another scheduler’s', () =>
    withWorld(async (world) => {
      await world.node(testNode('a'));
      await world.pod(testPod('gated', { spec: { schedulingGates: [{ name: 'wait' }] } }));
      await world.pod(testPod('foreign', { spec: { schedulerName: 'another' } }));
      await world.pass(10_000);
      expect([await world.nodeOf('gated'), await world.nodeOf('foreign')]).toEqual([undefined, undefined]);
      expect((await world.eventsOf('gated'))[0]?.message).toContain('scheduling gates: wait');
      expect((await world.eventsOf('foreign'))[0]?.message).toContain('the scheduler "another"');
    }));

  test('chooses a node for a claim that waits for its first consumer, and binds once the volume is there', () =>
    withWorld(async (world) => {
      const claim = { metadata: { namespace: 'default', name: 'data' } };
      await world.client.create(persistentVolumeClaims, { ...claim, spec: { accessModes: ['ReadWriteOnce'] } });
      for (const name of ['a', 'b']) await world.node(testNode(name));
      const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
      await world.pod(testPod('one', { spec: { volumes } }));
      await world.pod(testPod('two', { spec: { volumes } }));
      await world.pass(1_000);
      const asked = await world.client.get(persistentVolumeClaims, claim.metadata);
      const node = asked.metadata.annotations?.[selectedNodeAnnotation];
      expect(node).toMatch(/^[ab]$/);
      expect(await world.nodeOf('one')).toBeUndefined();
      await world.client.update(persistentVolumeClaims, {
        ...asked,
        spec: { ...asked.spec, volumeName: 'pv' },
        status: { phase: 'Bound' },
      });
      await world.pass(1_000);
      expect([await world.nodeOf('one'), await world.nodeOf('two')]).toEqual([node, node]);
    }));

  test('binds no pod twice and loses none, whatever fails and however often it restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('ok', 'ok', 'refused', 'reply lost', 'restart'), { maxLength: 40 }), async (faults) => {
        const world = new World();
        const script = [...faults];
        const bindings = new Map<string, string[]>();
        let restart = false;
        const inner = world.transport.send.bind(world.transport);
        world.transport.send = async (request) => {
          if (request.verb !== 'create' || request.subresource !== 'binding') return await inner(request);
          const fault = script.shift() ?? 'ok';
          if (fault === 'refused') throw new StatusError('ServiceUnavailable', 'try later');
          const answer = await inner(request);
          const name = request.name ?? '';
          bindings.set(name, [...(bindings.get(name) ?? []), (request.object as unknown as { target: { name: string } }).target.name]);
          if (fault === 'reply lost') throw new StatusError('Timeout', 'no reply');
          if (fault === 'restart') restart = true;
          return answer;
        };
        world.start();
        for (const name of ['a', 'b', 'c']) await world.node(testNode(name, { cpu: '4' }));
        for (let number = 0; number < 12; number++) await world.pod(testPod(`p${number}`, { cpu: '1', owner: `rs${number % 2}` }));
        for (let round = 0; round < 60; round++) {
          await world.pass(1_000);
          if (!restart) continue;
          restart = false;
          await world.end();
          world.start();
        }
        const bound = (await world.client.list(pods)).items;
        await world.end();
        expect(bound.every((pod) => pod.spec.nodeName !== undefined)).toBe(true);
        expect([...bindings.values()].every((targets) => targets.length === 1)).toBe(true);
        for (const node of ['a', 'b', 'c']) expect(bound.filter((pod) => pod.spec.nodeName === node)).toHaveLength(4);
      }),
      { numRuns: 25 },
    );
  });
});
