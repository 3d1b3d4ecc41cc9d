import type { RuntimeDriver } from '#agent/runtime/driver';
import { fakeDriver } from '#agent/runtime/fake/driver';

export const toyDriver: RuntimeDriver = {
  name: 'toy',
  create: (options) => Object.assign(fakeDriver.create(options), { info: () => Promise.resolve({ name: 'toy', version: '1' }) }),
};
