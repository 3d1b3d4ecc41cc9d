/**
 * Writes an image as an OCI archive (a tar that holds an image layout), with no engine and no registry: one layer, one manifest, one name.
 * The same definition gives the same bytes. What it leaves to others: loading the archive (load-image.ts).
 */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';

/** One entry of the image's file system; parents that are not named are made, 0755 and root's. */
export type ImageEntry =
  | { readonly path: string; readonly content: Uint8Array | string; readonly mode?: number }
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly directory: true; readonly mode?: number };

export interface ImageDefinition {
  /** With registry host and tag: `berth.local/hello:1`. */
  readonly reference: string;
  /** As OCI names it; this machine's unless given. */
  readonly architecture?: string;
  readonly entries: readonly ImageEntry[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDirectory?: string;
  /** e.g. `80/tcp`. */
  readonly exposedPorts?: readonly string[];
  readonly stopSignal?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const epoch = new Date(0);

/** The archive's bytes; `loadImage` and any OCI tool take them. */
export async function buildImageArchive(definition: ImageDefinition): Promise<Uint8Array> {
  const layer = await packTar(layerEntries(definition.entries));
  const compressed = gzipSync(layer, { level: 6 });
  const config = json({
    created: epoch.toISOString(),
    architecture: definition.architecture ?? hostArchitecture(),
    os: 'linux',
    config: {
      ...(definition.user === undefined ? {} : { User: definition.user }),
      ...(definition.exposedPorts === undefined
        ? {}
        : { ExposedPorts: Object.fromEntries(definition.exposedPorts.map((port) => [port, {}])) }),
      Env: Object.entries(definition.environment ?? {}).map(([name, value]) => `${name}=${value}`),
      ...(definition.entrypoint === undefined ? {} : { Entrypoint: definition.entrypoint }),
      ...(definition.command === undefined ? {} : { Cmd: definition.command }),
      ...(definition.workingDirectory === undefined ? {} : { WorkingDir: definition.workingDirectory }),
      ...(definition.stopSignal === undefined ? {} : { StopSignal: definition.stopSignal }),
      ...(definition.labels === undefined ? {} : { Labels: definition.labels }),
    },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created: epoch.toISOString(), created_by: 'berth' }],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', compressed)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: {
          'io.containerd.image.name': definition.reference,
          'org.opencontainers.image.ref.name': definition.reference,
        },
      },
    ],
  });
  const blob = (content: Uint8Array): ImageEntry => ({ path: `blobs/sha256/${digestOf(content).slice('sha256:'.length)}`, content });
  return packTar([
    { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', content: index },
    blob(manifest),
    blob(config),
    blob(compressed),
  ]);
}

/** This machine's architecture in OCI's words. */
export function hostArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** The entries with their missing parents, parents first; a path that is named twice is an error. */
function layerEntries(entries: readonly ImageEntry[]): ImageEntry[] {
  const byPath = new Map<string, ImageEntry>();
  for (const entry of entries) {
    const path = posix.normalize(entry.path).replace(/^\/+|\/+$/g, '');
    if (path === '' || path.startsWith('..')) throw new Error(`image entry "${entry.path}": the path leaves the image`);
    if (byPath.has(path)) throw new Error(`image entry "${entry.path}": named twice`);
    byPath.set(path, { ...entry, path });
  }
  for (const path of [...byPath.keys()]) {
    for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent)) {
      if (!byPath.has(parent)) byPath.set(parent, { path: parent, directory: true });
    }
  }
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function packTar(entries: readonly ImageEntry[]): Promise<Buffer> {
  const pack = tar.pack();
  const whole = buffer(pack);
  for (const entry of entries) {
    const header = { name: entry.path, mtime: epoch, uid: 0, gid: 0 };
    if ('directory' in entry) pack.entry({ ...header, name: `${entry.path}/`, type: 'directory', mode: entry.mode ?? 0o755 });
    else if ('linkTo' in entry) pack.entry({ ...header, type: 'symlink', linkname: entry.linkTo, mode: 0o777 });
    else pack.entry({ ...header, mode: entry.mode ?? 0o644 }, Buffer.from(entry.content));
  }
  pack.finalize();
  return whole;
}

function descriptor(mediaType: string, content: Uint8Array): object {
  return { mediaType, digest: digestOf(content), size: content.byteLength };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
