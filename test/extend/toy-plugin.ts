import type { Plugin } from '#scheduler/framework';

const refusal = { plugin: 'toy', reason: 'node(s) had no toys' };

/** Refuses every node to pods of the application `no-toys`. */
export const toy: Plugin = {
  name: 'toy',
  prepare: (shape) =>
    shape.labels.app === 'no-toys'
      ? { filter: () => refusal, explain: () => [{ ...refusal, detail: 'there is no toy', help: 'bring a toy', effort: 1 }] }
      : undefined,
};
