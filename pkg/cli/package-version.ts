import { readFile } from 'node:fs/promises';

/** The version of this package, from its own package.json: beside `pkg` in the sources, one folder up in the build. */
export async function packageVersion(): Promise<string> {
  for (const up of ['../..', '../../..']) {
    const text = await readFile(new URL(`${up}/package.json`, import.meta.url), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  }
  throw new Error("the package's own package.json is missing");
}
