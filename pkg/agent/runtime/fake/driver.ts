import type { RuntimeDriver } from '../driver.ts';
import { FakeRuntime } from './fake-runtime.ts';

/** Every image is there and every container runs on. */
export const fakeDriver: RuntimeDriver = { name: 'fake', create: ({ clock, instance }) => new FakeRuntime({ clock, instance }) };
