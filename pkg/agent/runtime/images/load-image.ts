/**
 * Loads image archives (docker-save or OCI, plain or gzipped) into a containerd, in the namespace that CRI looks into. The work is
 * `ctr`'s, which comes with containerd; this file reads the names on the way through, so that what was loaded can be told.
 */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import { systemClock } from '#base/clock';
import { codeOf, messageOf } from '#base/errors';
import { findProgram } from '../containerd/binaries.ts';
import { call, openChannel } from '../cri/channel.ts';
import { RuntimeError } from '../runtime.ts';

export const criNamespace = 'k8s.io';
const longestIndex = 4 * 1024 * 1024;

export interface LoadImageOptions {
  /** Path of containerd's socket. */
  readonly socket: string;
  /** A path, a stream, or the archive itself. */
  readonly archive: string | Readable | Uint8Array;
  /** `ctr`, found in the PATH unless given. */
  readonly ctr?: string;
  /** Unpacks it as well, into this one, so that the first container need not; only containerd's owner knows which. */
  readonly snapshotter?: string;
  readonly signal?: AbortSignal;
}

/**
 * The names under which the images can now be run, e.g. `berth.local/hello:1`.
 * Throws `RuntimeError` `InvalidArgument` for what is no image archive or has no full name, `Unavailable` when containerd does not answer,
 * `Unsupported` when there is no `ctr`.
 */
export async function loadImage(options: LoadImageOptions): Promise<readonly string[]> {
  const child = spawn(
    options.ctr ?? findProgram('ctr') ?? 'ctr',
    [
      ...['--address', options.socket, '--namespace', criNamespace, 'images', 'import'],
      ...(options.snapshotter === undefined ? ['--no-unpack'] : ['--snapshotter', options.snapshotter]),
      '-',
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], signal: options.signal },
  );
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
  const names = archiveNames();
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const fed = feed(options.archive, [names.input, child.stdin]);
  const [code, [, complaint], fedError, found] = await Promise.all([
    ended.catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      throw new RuntimeError('Unsupported', 'the program "ctr" was not found: install containerd', { cause: error });
    }),
    output,
    fed.then(
      () => undefined,
      (error: unknown) => error,
    ),
    names.result,
  ]);
  // A broken pipe alone says less than what ctr printed.
  if (fedError instanceof RuntimeError) throw fedError;
  if (fedError !== undefined && codeOf(fedError) !== 'EPIPE') throw archiveError(messageOf(fedError), fedError);
  if (code !== 0) {
    const message = complaint.trim().replace(/^ctr: /, '');
    if (/connection refused|no such file or directory.*sock|failed to dial/i.test(message)) {
      throw new RuntimeError('Unavailable', `containerd does not answer at ${options.socket}: ${message}`);
    }
    throw archiveError(message === '' ? `ctr ended with ${code}` : message);
  }
  if (found.length === 0) throw archiveError('it names no image; save it with its name and tag');
  await untilKnown(options, found);
  return found;
}

const knownTimeout = 10_000;
const knownInterval = 20;

/** CRI learns of images by containerd's events, a moment after they are there. */
async function untilKnown({ socket, signal }: LoadImageOptions, references: readonly string[]): Promise<void> {
  const channel = openChannel(`unix://${socket}`);
  const { images } = channel;
  const limit = AbortSignal.timeout(knownTimeout);
  const waiting = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  try {
    for (const image of references) {
      const request = { image: { image, annotations: {} }, verbose: false };
      while ((await call(images.imageStatus.bind(images), request, { signal: waiting })).image === undefined) {
        await systemClock.sleep(knownInterval, waiting);
      }
    }
  } catch (error) {
    if (!limit.aborted || signal?.aborted === true) throw error;
    throw new RuntimeError('Unavailable', `containerd loaded ${references.join(', ')}, but its CRI service does not know it`, {
      cause: error,
    });
  } finally {
    channel.close();
  }
}

function archiveError(message: string, cause?: unknown): RuntimeError {
  return new RuntimeError('InvalidArgument', `cannot load the image archive: ${message}`, { cause });
}

/** Copies the archive, unzipped where it is gzipped, to all of `targets`; every target is ended, whatever happens. */
async function feed(archive: string | Readable | Uint8Array, targets: readonly NodeJS.WritableStream[]): Promise<void> {
  const source = typeof archive === 'string' ? createReadStream(archive) : archive instanceof Uint8Array ? [archive] : archive;
  let failure: unknown;
  for (const target of targets) target.on('error', (error) => (failure ??= error));
  try {
    for await (const chunk of unzipWhenGzipped(source)) {
      for (const target of targets) await write(target, chunk);
      if (failure !== undefined) throw failure;
    }
  } finally {
    for (const target of targets) target.end();
  }
}

function write(target: NodeJS.WritableStream, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    target.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

async function* unzipWhenGzipped(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let head = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    yield head;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  };
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* whole();
    return;
  }
  const gunzip = createGunzip();
  const running = pipeline(whole(), gunzip);
  running.catch(() => undefined);
  try {
    yield* gunzip;
    await running;
  } catch (error) {
    throw archiveError('it is damaged or cut short', error);
  }
}

/** Takes the archive's bytes and gives the image names that containerd makes of them. */
function archiveNames(): { readonly input: PassThrough; readonly result: Promise<readonly string[]> } {
  const input = new PassThrough();
  const read = async (): Promise<readonly string[]> => {
    const documents = new Map<string, unknown>();
    const extract = tar.extract();
    const running = pipeline(input, extract);
    // Both failures are the same one; ctr says it better than a parser does.
    running.catch(() => undefined);
    for await (const entry of extract) {
      const name = entry.header.name.replace(/^\.\//, '');
      if (name === 'index.json' || name === 'manifest.json')
        documents.set(name, JSON.parse(await boundedText(entry as AsyncIterable<unknown> as AsyncIterable<Uint8Array>)));
      else entry.resume();
    }
    // An OCI layout is taken before Docker's manifest, as containerd does.
    return documents.has('index.json') ? indexNames(documents.get('index.json')) : manifestNames(documents.get('manifest.json'));
  };
  const result = read().catch(() => {
    input.resume();
    return [];
  });
  return { input, result };
}

/** An archive's own list of what is in it. Throws where that is no list but a flood: `ctr` says what it makes of it. */
async function boundedText(entry: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of entry) {
    size += chunk.length;
    if (size > longestIndex) throw archiveError(`its list of contents has more than ${longestIndex} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function indexNames(index: unknown): string[] {
  const manifests = (index as { manifests?: readonly { annotations?: Readonly<Record<string, string>> }[] }).manifests ?? [];
  return manifests.flatMap(({ annotations }) => {
    const name = annotations?.['io.containerd.image.name'] ?? annotations?.['org.opencontainers.image.ref.name'];
    return name === undefined ? [] : [name];
  });
}

function manifestNames(manifest: unknown): string[] {
  const images = (manifest ?? []) as readonly { RepoTags?: readonly string[] | null }[];
  return images.flatMap((image) => image.RepoTags ?? []).map(normalizeReference);
}

/** The full form of a name, as Docker and CRI complete it: `hello` → `docker.io/library/hello:latest`. */
export function normalizeReference(reference: string): string {
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  const hasHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const named = hasHost ? reference : slash < 0 ? `docker.io/library/${reference}` : `docker.io/${reference}`;
  const tail = named.slice(named.lastIndexOf('/') + 1);
  return tail.includes(':') || named.includes('@') ? named : `${named}:latest`;
}
