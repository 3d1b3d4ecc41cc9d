/** `node dist/hack/build-demo-image.js [FILE]`: writes the demo image's archive to FILE, or to stdout, for `berth image load`. */
import { writeFileSync } from 'node:fs';
import { messageOf } from '#base/errors';
import { buildDemoImage } from './demo-image.ts';

try {
  const archive = await buildDemoImage();
  const [file] = process.argv.slice(2);
  if (file === undefined) process.stdout.write(archive);
  else writeFileSync(file, archive);
} catch (error) {
  process.stderr.write(`cannot build the demo image: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
