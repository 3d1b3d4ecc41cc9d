import { describe, expect, test } from '@jest/globals';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { boundAt, isUntaken, whyUntaken } from './untaken-pods.ts';

const made = '2026-01-01T00:00:00Z';
const bound = '2026-01-01T00:00:07Z';

function pod(change: { readonly metadata?: Pod['metadata']; readonly nodeName?: string; readonly status?: Pod['status'] }): Pod {
  const { metadata = {}, nodeName = 'node-1', status = {} } = change;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', creationTimestamp: made, ...metadata },
    spec: { nodeName, containers: [] },
    status,
  };
}

describe('a pod', () => {
  test.each([
    ['that its node has said nothing of', {}, true],
    ['without a node', { nodeName: '' }, false],
    ['that its agent has taken up', { status: { phase: 'Pending', startTime: made } }, false],
    ['that has ended', { status: { phase: 'Failed' } }, false],
    ['that is going', { metadata: { deletionTimestamp: made } }, false],
  ])('%s', (_what, change, expected) => {
    expect(isUntaken(pod(change))).toBe(expected);
  });

  test('waits for its node since it was bound, or since it was made where it named the node itself', () => {
    const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: bound };
    expect(boundAt(pod({ status: { conditions: [scheduled] } }))).toBe(Date.parse(bound));
    expect(boundAt(pod({}))).toBe(Date.parse(made));
  });
});

test('the reason names the node, and what is known of it', () => {
  const node = (...conditions: NonNullable<NonNullable<Node['status']>['conditions']>): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1' },
    spec: {},
    status: { conditions },
  });
  expect(whyUntaken(node({ type: 'Ready', status: 'True' }))).toMatch(
    /^Node node-1 has not taken up the pod: .* The pod starts when it answers\.$/,
  );
  expect(whyUntaken(node({ type: 'Ready', status: 'Unknown', message: 'not heard of since noon' }))).toContain('not heard of since noon');
});
