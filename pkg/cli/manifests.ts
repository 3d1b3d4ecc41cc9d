/**
 * Reads what `-f` names: files, folders, `-` for stdin; Kubernetes manifests (many documents, Lists) or Compose files, told apart by what is in
 * them. Every document keeps where it stands, so that errors say file:line. Nothing is sent before all of it could be read.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAlias, isCollection, isMap, isNode, isScalar, LineCounter, visit } from 'yaml';
import type { KubernetesObject } from '#api/object';
import { codeOf, messageOf } from '#base/errors';
import { YamlNestingError, yamlDocuments } from '#base/yaml-documents';
import { UsageError, type VerbContext } from './verb.ts';

export interface Manifest {
  readonly object: KubernetesObject;
  /** `file:line`, for messages. */
  readonly where: string;
}

export type ManifestSet =
  | { readonly type: 'kubernetes'; readonly manifests: readonly Manifest[] }
  /** Paths as given, in order: later files override earlier ones. */
  | { readonly type: 'compose'; readonly files: readonly { readonly path: string; readonly content: string }[] };

const maximumBytes = 16 * 1024 * 1024;
const composeNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];
const composeSections = ['name', 'version', 'networks', 'volumes', 'secrets', 'configs', 'models'];
const overrideNames = ['compose.override.yaml', 'compose.override.yml', 'docker-compose.override.yaml', 'docker-compose.override.yml'];

/** Throws `UsageError` for what cannot be read or parsed, for a mixture of Compose and Kubernetes, and where nothing was found. */
export async function readManifests(
  names: readonly string[],
  context: VerbContext,
  options: { readonly recursive?: boolean } = {},
): Promise<ManifestSet> {
  const sources = (await Promise.all(names.map((name) => readSource(name, context, options.recursive ?? false)))).flat();
  const compose = sources.filter((source) => looksLikeCompose(source.content));
  if (compose.length === 0)
    return { type: 'kubernetes', manifests: sources.flatMap((source) => parseManifests(source.path, source.content)) };
  const other = sources.find((source) => !compose.includes(source));
  if (other !== undefined) {
    throw new UsageError(
      `${compose[0]!.path} is a Compose file and ${other.path} is not`,
      'Apply Compose files and Kubernetes manifests one after the other.',
    );
  }
  return { type: 'compose', files: compose };
}

async function readSource(name: string, context: VerbContext, recursive: boolean): Promise<{ path: string; content: string }[]> {
  if (name === '-') return [{ path: '-', content: await readStream(context.stdin, 'stdin') }];
  const path = resolve(context.workingDirectory, name);
  const information = await stat(path).catch((error: unknown) => {
    throw new UsageError(codeOf(error) === 'ENOENT' ? `the path "${name}" does not exist` : messageOf(error));
  });
  if (information.isSocket() || information.isBlockDevice()) throw new UsageError(`${name} is no file, folder or pipe`);
  if (!information.isDirectory()) {
    if (information.size > maximumBytes) throw new UsageError(`${name} has ${information.size} bytes; at most ${maximumBytes} are read`);
    // Not read as a whole: a pipe or a device says nothing of its size.
    const stream = createReadStream(path, { signal: context.signal });
    return [{ path: name, content: await readStream(stream, name) }];
  }
  const entries = await readdir(path, { withFileTypes: true });
  const compose = composeNames.find((candidate) => entries.some((entry) => entry.name === candidate));
  if (compose !== undefined) {
    const override = overrideNames.find((candidate) => entries.some((entry) => entry.name === candidate));
    return (
      await Promise.all(
        [compose, ...(override === undefined ? [] : [override])].map((file) => readSource(join(name, file), context, false)),
      )
    ).flat();
  }
  const files = entries.filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name)).map((entry) => entry.name);
  const folders = recursive ? entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name) : [];
  const found = await Promise.all(
    [...files.toSorted(), ...folders.toSorted()].map((file) => readSource(join(name, file), context, recursive)),
  );
  if (found.flat().length === 0) throw new UsageError(`the folder "${name}" has no .yaml, .yml or .json file`);
  return found.flat();
}

async function readStream(stream: AsyncIterable<unknown>, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(Buffer.from(chunk as Uint8Array));
      size += chunks.at(-1)!.length;
      if (size > maximumBytes) throw new UsageError(`${name} has more than ${maximumBytes} bytes`);
    }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${name} cannot be read: ${messageOf(error)}`);
  }
  return textOf(Buffer.concat(chunks), name);
}

/** Throws `UsageError` for what is no text, rather than what YAML would make of it. */
function textOf(bytes: Buffer, name: string): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0)
    throw new UsageError(`${name} is no text: it holds a zero byte, the first at byte ${nul}`, 'Save it as YAML or JSON in UTF-8.');
  if (!isUtf8(bytes)) throw new UsageError(`${name} is no text in UTF-8`, 'Save it as YAML or JSON in UTF-8.');
  return bytes.toString('utf8').replace(/^\ufeff/, '');
}

/** By the keys at the top of the first document: a file that overrides may have no services. What cannot be parsed is judged by its lines. */
function looksLikeCompose(content: string): boolean {
  const keys = topLevelKeys(content) ?? [...content.matchAll(/^["']?([\w-]+)["']?\s*:/gm)].map(([, key = '']) => key);
  if (keys.includes('apiVersion')) return false;
  return (
    keys.includes('services') ||
    keys.includes('include') ||
    (keys.length > 0 && keys.every((key) => composeSections.includes(key) || key.startsWith('x-')))
  );
}

function topLevelKeys(content: string): string[] | undefined {
  let documents: ReturnType<typeof yamlDocuments>;
  try {
    documents = yamlDocuments(content, { logLevel: 'silent' });
  } catch {
    return undefined;
  }
  const document = documents.find(({ contents }) => contents !== null) ?? documents[0];
  if (document === undefined || document.errors.length > 0) return undefined;
  return isMap(document.contents) ? document.contents.items.flatMap(({ key }) => (isScalar(key) ? String(key.value) : [])) : [];
}

/** The objects of one YAML or JSON text, Lists taken apart. */
export function parseManifests(path: string, content: string): Manifest[] {
  const lines = new LineCounter();
  const manifests: Manifest[] = [];
  for (const document of readDocuments(path, content, lines)) {
    const problem = document.errors[0];
    if (problem !== undefined) {
      const position = lines.linePos(problem.pos[0]);
      throw new UsageError(
        `${path}:${position.line}:${position.col}: ${problem.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? ''}`,
        'Nothing was applied.',
      );
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) continue;
    const where = `${path}:${lines.linePos(document.contents.range?.[0] ?? 0).line}`;
    if (!isMap(document.contents))
      throw new UsageError(`${where}: a manifest must be a mapping with apiVersion and kind`, 'Nothing was applied.');
    visit(document, {
      Pair: (_, { key }) => {
        if (!isCollection(isAlias(key) ? key.resolve(document) : key)) return;
        const { line, col } = lines.linePos((isNode(key) ? key.range?.[0] : undefined) ?? 0);
        throw new UsageError(`${path}:${line}:${col}: a key must be a string, not a mapping or a list`, 'Nothing was applied.');
      },
    });
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      throw new UsageError(`${where}: ${messageOf(error)}`, 'Nothing was applied.');
    }
    manifests.push(...takeApart(value, where));
  }
  if (manifests.length === 0) throw new UsageError(`${path}: there is no manifest in it`);
  return manifests;
}

function readDocuments(path: string, content: string, lineCounter: LineCounter): ReturnType<typeof yamlDocuments> {
  try {
    // Kubernetes reads YAML 1.1, where an unquoted `yes` is a boolean and 0440 is octal.
    return yamlDocuments(content, { lineCounter, version: '1.1', merge: true, logLevel: 'error' });
  } catch (error) {
    if (!(error instanceof YamlNestingError)) throw error;
    const position = lineCounter.linePos(error.offset);
    throw new UsageError(`${path}:${position.line}:${position.col}: ${error.message}`, 'Nothing was applied.');
  }
}

function takeApart(value: unknown, where: string): Manifest[] {
  if (typeof value !== 'object' || value === null) throw new UsageError(`${where}: a manifest must be a mapping with apiVersion and kind`);
  const object = value as Partial<KubernetesObject> & { items?: unknown };
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof object[field] !== 'string' || object[field] === '')
      throw new UsageError(
        `${where}: ${field} is missing or not a string`,
        'Nothing was applied. A Kubernetes manifest has apiVersion and kind, a Compose file has services.',
      );
  }
  if (object.kind?.endsWith('List') && Array.isArray(object.items)) return object.items.flatMap((item) => takeApart(item, where));
  if (typeof object.metadata !== 'object' || object.metadata === null)
    throw new UsageError(
      `${where}: ${object.kind}: metadata is missing`,
      'Every object needs metadata.name (or generateName with create).',
    );
  return [{ object: object as KubernetesObject, where }];
}
