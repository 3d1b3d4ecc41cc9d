import { describeBackend } from '../backend.suite.ts';
import { MemoryBackend } from './memory-backend.ts';

describeBackend('the memory backend', async (options) => ({ backend: new MemoryBackend(options), dispose: async () => undefined }));
