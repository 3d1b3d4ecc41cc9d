// Copies what the compiler leaves behind from pkg to dist/pkg: tables, protos, workers. Part of `npm run build`.
import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

cpSync(join(root, 'pkg'), join(root, 'dist', 'pkg'), {
  recursive: true,
  preserveTimestamps: true,
  filter: (source) => statSync(source).isDirectory() || !source.endsWith('.ts'),
});
