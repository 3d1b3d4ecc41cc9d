import type { RuntimeDriver } from '../driver.ts';
import { CriRuntime } from './cri-runtime.ts';

export const criDriver: RuntimeDriver = { name: 'cri', create: (options) => new CriRuntime(options) };
