import { criDriver } from './cri/driver.ts';
import type { RuntimeDriver } from './driver.ts';
import { fakeDriver } from './fake/driver.ts';

/** Every runtime driver; the first is the default. */
export const runtimeDrivers: readonly RuntimeDriver[] = [criDriver, fakeDriver];
