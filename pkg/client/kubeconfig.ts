/**
 * Kubeconfig files, as kubectl reads and merges them: several files (`KUBECONFIG=a:b`), the first that names a cluster,
 * user or context wins, the first that sets `current-context` sets it. What Berth does not know is kept when it writes.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { codeOf, messageOf } from '#base/errors';

/** What it takes to reach a cluster. Certificates and keys are PEM. */
export interface ConnectionOptions {
  /** `https://host:port`. */
  readonly server: string;
  /** Absent: the system's authorities. */
  readonly certificateAuthority?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly token?: string;
  readonly namespace?: string;
  /** The name that the server's certificate must bear, where it differs from the host. */
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

interface Entry {
  readonly name: string;
  readonly fields: Fields;
  /** Folder of its file: paths in it are relative to that. */
  readonly folder: string;
}

export interface Kubeconfig {
  readonly currentContext: string | undefined;
  readonly clusters: readonly Entry[];
  readonly users: readonly Entry[];
  readonly contexts: readonly Entry[];
}

/** Reads and merges the files; those that do not exist are left out. Throws an error that names the file and the reason. */
export async function loadKubeconfig(paths: readonly string[]): Promise<Kubeconfig> {
  const merged = { clusters: new Map<string, Entry>(), users: new Map<string, Entry>(), contexts: new Map<string, Entry>() };
  let currentContext: string | undefined;
  for (const path of paths) {
    const document = await readDocument(path);
    if (document === undefined) continue;
    const current = document['current-context'];
    if (typeof current === 'string' && current !== '') currentContext ??= current;
    for (const [list, key] of [
      ['clusters', 'cluster'],
      ['users', 'user'],
      ['contexts', 'context'],
    ] as const) {
      for (const item of listOf(document[list], path, list)) {
        const name = item.name;
        if (typeof name !== 'string') throw new Error(`${path}: an entry of ${list} has no name`);
        const fields = mappingOf(item[key] ?? {}, path, `${key} of ${JSON.stringify(name)}`);
        if (!merged[list].has(name)) merged[list].set(name, { name, fields, folder: dirname(resolve(path)) });
      }
    }
  }
  return {
    currentContext,
    clusters: [...merged.clusters.values()],
    users: [...merged.users.values()],
    contexts: [...merged.contexts.values()],
  };
}

/** How to reach the cluster of a context (the current one unless given), with the files that it refers to read in. */
export async function connectionOf(config: Kubeconfig, contextName?: string): Promise<ConnectionOptions> {
  const wanted = contextName ?? config.currentContext;
  if (wanted === undefined) throw new Error('the kubeconfig sets no current-context: name one with --context');
  const context = find(config.contexts, 'context', wanted);
  const clusterName = text(context.fields, 'cluster');
  if (clusterName === undefined) throw new Error(`context ${JSON.stringify(wanted)} names no cluster`);
  const cluster = find(config.clusters, 'cluster', clusterName);
  const server = text(cluster.fields, 'server');
  if (server === undefined) throw new Error(`cluster ${JSON.stringify(clusterName)} has no server`);
  const userName = text(context.fields, 'user');
  const user = userName === undefined ? undefined : find(config.users, 'user', userName);
  for (const way of ['exec', 'auth-provider', 'username']) {
    if (user?.fields[way] !== undefined) {
      throw new Error(`user ${JSON.stringify(user.name)} signs in by ${way}, which is not supported: use a client certificate or a token`);
    }
  }
  const tokenFile = user === undefined ? undefined : text(user.fields, 'tokenFile');
  const options = {
    server,
    certificateAuthority: await material(cluster, 'certificate-authority'),
    clientCertificate: await material(user, 'client-certificate'),
    clientKey: await material(user, 'client-key'),
    token: tokenFile === undefined ? text(user?.fields ?? {}, 'token') : (await readFile(pathIn(user!, tokenFile), 'utf8')).trim(),
    namespace: text(context.fields, 'namespace'),
    tlsServerName: text(cluster.fields, 'tls-server-name'),
    insecureSkipTlsVerify: cluster.fields['insecure-skip-tls-verify'] === true ? true : undefined,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as ConnectionOptions;
}

/** The files that kubectl would read: `--kubeconfig`, else `$KUBECONFIG`, else the `fallbacks`. */
export function kubeconfigPaths(
  given: string | undefined,
  environment: string | undefined,
  fallbacks: readonly string[],
): readonly string[] {
  if (given !== undefined) return [given];
  const listed = (environment ?? '').split(':').filter((path) => path !== '');
  return listed.length > 0 ? listed : fallbacks;
}

/** Writes (or replaces) the cluster, user and context `name` in a kubeconfig file of mode 0600, leaves all else in it, and reports whether it changed. */
export async function saveConnection(path: string, name: string, connection: ConnectionOptions, makeCurrent: boolean): Promise<boolean> {
  const document = await readDocument(path);
  const cluster = {
    server: connection.server,
    ...(connection.certificateAuthority === undefined ? {} : { 'certificate-authority-data': base64(connection.certificateAuthority) }),
    ...(connection.tlsServerName === undefined ? {} : { 'tls-server-name': connection.tlsServerName }),
    ...(connection.insecureSkipTlsVerify === true ? { 'insecure-skip-tls-verify': true } : {}),
  };
  const user = {
    ...(connection.clientCertificate === undefined ? {} : { 'client-certificate-data': base64(connection.clientCertificate) }),
    ...(connection.clientKey === undefined ? {} : { 'client-key-data': base64(connection.clientKey) }),
    ...(connection.token === undefined ? {} : { token: connection.token }),
  };
  const put = (list: 'clusters' | 'users' | 'contexts', key: string, value: Fields): unknown[] => {
    const items = listOf(document?.[list], path, list);
    const at = items.findIndex((item) => item.name === name);
    const entry = { ...(at < 0 ? {} : items[at]), name, [key]: value };
    return at < 0 ? [...items, entry] : items.with(at, entry);
  };
  const before = listOf(document?.contexts, path, 'contexts').find((item) => item.name === name)?.context as Fields | undefined;
  const namespace = connection.namespace ?? before?.namespace;
  const current = document?.['current-context'];
  const changed = {
    apiVersion: 'v1',
    kind: 'Config',
    ...document,
    clusters: put('clusters', 'cluster', cluster),
    users: put('users', 'user', user),
    contexts: put('contexts', 'context', { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) }),
    'current-context': makeCurrent || typeof current !== 'string' || current === '' ? name : current,
  };
  if (document !== undefined && JSON.stringify(changed) === JSON.stringify(document)) return false;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, stringify(changed), { mode: 0o600, flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return true;
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

async function readDocument(path: string): Promise<Record<string, unknown> | undefined> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
  const document = parseDocument(content, { logLevel: 'error' });
  const problem = document.errors[0];
  if (problem !== undefined) throw new Error(`${path}: ${problem.message}`);
  const value: unknown = document.toJS() ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`${path}: a kubeconfig is a mapping`);
  return value as Record<string, unknown>;
}

function listOf(value: unknown, path: string, name: string): Record<string, unknown>[] {
  if (value == null) return [];
  if (!Array.isArray(value)) throw new Error(`${path}: ${name} must be a list`);
  return value.map((item) => mappingOf(item, path, `an entry of ${name}`));
}

function mappingOf(value: unknown, path: string, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${path}: ${name} must be a mapping`);
  return value as Record<string, unknown>;
}

function find(entries: readonly Entry[], kind: string, name: string): Entry {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const known = entries.map((candidate) => candidate.name).join(', ');
  throw new Error(`the kubeconfig has no ${kind} ${JSON.stringify(name)}; it has: ${known === '' ? 'none' : known}`);
}

function text(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function pathIn(entry: Entry, path: string): string {
  return isAbsolute(path) ? path : resolve(entry.folder, path);
}

/** `NAME-data` (base64) before `NAME` (a file). */
async function material(entry: Entry | undefined, name: string): Promise<string | undefined> {
  if (entry === undefined) return undefined;
  const data = text(entry.fields, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const path = text(entry.fields, name);
  return path === undefined ? undefined : readFile(pathIn(entry, path), 'utf8');
}
