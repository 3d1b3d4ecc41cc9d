import { describe, expect, test } from '@jest/globals';
import { matchesNodeSelector, termText } from './node-selector.ts';
import { tolerates } from './tolerations.ts';

const node = { name: 'node-1', labels: { disk: 'ssd', cores: '16', zone: 'a' } };
const holds = (key: string, operator: string, values?: string[]): boolean =>
  matchesNodeSelector(
    { nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] }] },
    node,
  );

describe('a node selector', () => {
  test('knows every operator', () => {
    expect([holds('disk', 'In', ['hdd', 'ssd']), holds('disk', 'In', ['hdd']), holds('gpu', 'In', ['x'])]).toEqual([true, false, false]);
    expect([holds('disk', 'NotIn', ['hdd']), holds('disk', 'NotIn', ['ssd']), holds('gpu', 'NotIn', ['x'])]).toEqual([true, false, true]);
    expect([holds('disk', 'Exists'), holds('gpu', 'Exists')]).toEqual([true, false]);
    expect([holds('disk', 'DoesNotExist'), holds('gpu', 'DoesNotExist')]).toEqual([false, true]);
    expect([holds('cores', 'Gt', ['8']), holds('cores', 'Gt', ['16']), holds('disk', 'Gt', ['8'])]).toEqual([true, false, false]);
    expect([holds('cores', 'Lt', ['32']), holds('cores', 'Lt', ['16']), holds('gpu', 'Lt', ['8'])]).toEqual([true, false, false]);
    expect(holds('disk', 'Unheard', ['ssd'])).toBe(false);
  });

  test('takes terms as alternatives, requirements together, and an empty term for none', () => {
    const ssd = { key: 'disk', operator: 'Exists' };
    const gpu = { key: 'gpu', operator: 'Exists' };
    expect(matchesNodeSelector({ nodeSelectorTerms: [{ matchExpressions: [ssd, gpu] }] }, node)).toBe(false);
    expect(matchesNodeSelector({ nodeSelectorTerms: [{ matchExpressions: [gpu] }, { matchExpressions: [ssd] }] }, node)).toBe(true);
    expect(matchesNodeSelector({ nodeSelectorTerms: [{}] }, node)).toBe(false);
    const byName = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1'] }] };
    expect(matchesNodeSelector({ nodeSelectorTerms: [byName] }, node)).toBe(true);
    expect(termText({ matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }, gpu] })).toBe('disk=ssd and gpu present');
  });
});

test('a toleration covers what its key, value and effect say, and all where it says nothing', () => {
  const taint = { key: 'only', value: 'gpu', effect: 'NoSchedule' };
  expect(tolerates([{ operator: 'Exists' }], taint)).toBe(true);
  expect(tolerates([{ key: 'only', operator: 'Exists' }], taint)).toBe(true);
  expect(tolerates([{ key: 'only', value: 'gpu' }], taint)).toBe(true);
  expect(tolerates([{ key: 'only', operator: 'Equal', value: 'cpu' }], taint)).toBe(false);
  expect(tolerates([{ key: 'only', operator: 'Exists', effect: 'NoExecute' }], taint)).toBe(false);
  expect(tolerates([{ key: 'other', operator: 'Exists' }], taint)).toBe(false);
  expect(tolerates([], taint)).toBe(false);
});
