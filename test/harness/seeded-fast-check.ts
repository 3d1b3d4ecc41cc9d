/**
 * What tests get as `fast-check` (jest.config.js): property tests try the same cases in every run, so that none fails by chance.
 * `BERTH_TEST_SEED=…` (a number) tries others.
 */
import fc from '../../node_modules/fast-check/lib/fast-check.js';

fc.configureGlobal({ seed: Number(process.env.BERTH_TEST_SEED ?? 19_700_101) });

export * from '../../node_modules/fast-check/lib/fast-check.js';
export default fc;
