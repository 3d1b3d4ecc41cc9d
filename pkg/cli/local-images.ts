/** `berth image`: images of this machine's node, straight from its containerd. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { containerdLayout } from '#agent/runtime/containerd/layout';
import { criDriver } from '#agent/runtime/cri/driver';
import { loadImage } from '#agent/runtime/images/load-image';
import { messageOf } from '#base/errors';
import { silentLogger } from '#base/logging';
import { berthHome } from './home.ts';
import { renderTable } from './text-table.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

interface RuntimeFlags {
  readonly containerd?: string;
}

/** Prints the references of what was loaded. */
export async function loadArchive(context: VerbContext, archive: string, flags: RuntimeFlags): Promise<number> {
  const socket = socketOf(context, flags);
  const path = archive === '-' ? undefined : resolve(context.workingDirectory, archive);
  if (path !== undefined && !existsSync(path)) {
    throw new UsageError(
      `the archive ${archive} does not exist`,
      'Make one with `docker save IMAGE > ARCHIVE`, or `skopeo copy … oci-archive:ARCHIVE`.',
    );
  }
  try {
    for (const reference of await loadImage({ socket, archive: path ?? context.stdin })) context.stdout.write(`loaded ${reference}\n`);
  } catch (error) {
    throw new UsageError(`the archive ${archive} could not be loaded: ${messageOf(error)}`);
  }
  return exitCodes.ok;
}

export async function listImages(context: VerbContext, flags: RuntimeFlags): Promise<number> {
  const runtime = criDriver.create({
    endpoint: `unix://${socketOf(context, flags)}`,
    instance: '',
    clock: context.clock,
    log: silentLogger,
  });
  try {
    const images = await runtime.listImages();
    const rows = images.flatMap((image) =>
      (image.tags.length === 0 ? image.digests.slice(0, 1) : image.tags).map((tag) => [
        tag,
        image.id.replace(/^sha256:/, '').slice(0, 12),
        `${(image.size / 1e6).toFixed(1)} MB`,
      ]),
    );
    for (const line of renderTable({ headers: ['Image', 'ID', 'Size'], rows: rows.toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1)) }))
      context.stdout.write(`${line}\n`);
  } finally {
    runtime.close?.();
  }
  return exitCodes.ok;
}

function socketOf(context: VerbContext, flags: RuntimeFlags): string {
  const socket = flags.containerd ?? containerdLayout(berthHome(context).directory).socket;
  if (!existsSync(socket))
    throw new UsageError(`no containerd listens at ${socket}`, '`berth up` (or `berth agent`) starts one; --containerd names another.');
  return socket;
}
