import { describe, expect, test } from '@jest/globals';
import { mergeStatus } from './status-writer.ts';

const at = (hour: number): string => `2026-01-01T0${hour}:00:00Z`;

describe('a reported status', () => {
  test('replaces what is the agent’s, and leaves what is others’', () => {
    const merged = mergeStatus(
      {
        phase: 'Pending',
        message: 'old',
        nominatedNodeName: 'two',
        conditions: [
          { type: 'Ready', status: 'False', lastTransitionTime: at(1) },
          { type: 'example.org/gate', status: 'True', lastTransitionTime: at(1) },
        ],
      },
      { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(2) }] },
    );
    expect(merged).toEqual({
      phase: 'Running',
      nominatedNodeName: 'two',
      conditions: [
        { type: 'Ready', status: 'True', lastTransitionTime: at(2) },
        { type: 'example.org/gate', status: 'True', lastTransitionTime: at(1) },
      ],
    });
  });

  test('does not move the time of a condition that has not changed', () => {
    const stored = { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(1) }] };
    const merged = mergeStatus(stored, { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(3) }] });
    expect(merged).toEqual(stored);
  });
});
