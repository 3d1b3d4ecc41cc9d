/** A real registry (Debian's docker-registry) on loopback, over plain HTTP, filled by skopeo. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, runCommand } from './commands.ts';
import { freePorts } from './ports.ts';

export interface TestRegistry {
  /** `127.0.0.1:PORT`: what an image's name begins with. */
  readonly host: string;
  /** Copies an OCI archive there, under this name and tag. */
  push(archive: string, name: string): Promise<void>;
  stop(): Promise<void>;
}

/** The one user of a registry that asks who one is, and how the registry knows the password. */
export const registryUser = {
  name: 'sailor',
  password: 'anchor',
  htpasswd: 'sailor:$2b$12$pFfE0.gVjKDh8ZCIbuT6B.jqm6NYwU.yvydTu8WNDD0oaFFfqyxJm\n',
} as const;

/** Why there can be none here; undefined when there can. */
export function missingForRegistry(): string | undefined {
  const missing = ['/usr/bin/docker-registry', '/usr/bin/skopeo'].filter((path) => !existsSync(path));
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
}

export async function startRegistry(options: { readonly authenticated: boolean }): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  const [port] = await freePorts(1);
  const host = `127.0.0.1:${port}`;
  const users = join(folder, 'htpasswd');
  writeFileSync(users, registryUser.htpasswd);
  const configuration = join(folder, 'config.yml');
  const lines = [
    'version: 0.1',
    'log: { level: error }',
    `storage: { filesystem: { rootdirectory: ${folder}/data } }`,
    `http: { addr: "${host}" }`,
  ];
  if (options.authenticated) lines.push(`auth: { htpasswd: { realm: harbour, path: ${users} } }`);
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const child = spawn('docker-registry', ['serve', configuration], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually('the registry answers', async () =>
      [200, 401].includes((await fetch(`http://${host}/v2/`)).status) ? true : undefined,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host,
    stop,
    push: async (archive, name) => {
      const login = options.authenticated ? ['--dest-creds', `${registryUser.name}:${registryUser.password}`] : [];
      const copied = await runCommand('skopeo', [
        'copy',
        '--insecure-policy',
        '--dest-tls-verify=false',
        ...login,
        `oci-archive:${archive}`,
        `docker://${host}/${name}`,
      ]);
      if (copied.code !== 0) throw new Error(`skopeo could not copy ${archive}: ${copied.stderr}`);
    },
  };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
