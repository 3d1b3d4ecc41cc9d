import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { containerdLayout } from '#agent/runtime/containerd/layout';
import { loadImage } from '#agent/runtime/images/load-image';
import { messageOf } from '#base/errors';
import { berthHome } from './home.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

/** `berth image load`: prints the references of what was loaded. */
export async function loadArchive(context: VerbContext, archive: string, flags: { readonly containerd?: string }): Promise<number> {
  const socket = flags.containerd ?? containerdLayout(berthHome(context).directory).socket;
  if (!existsSync(socket))
    throw new UsageError(`no containerd listens at ${socket}`, '`berth up` (or `berth agent`) starts one; --containerd names another.');
  const path = archive === '-' ? undefined : resolve(context.workingDirectory, archive);
  if (path !== undefined && !existsSync(path))
    throw new UsageError(
      `the archive ${archive} does not exist`,
      'Make one with `docker save IMAGE > ARCHIVE`, or `skopeo copy … oci-archive:ARCHIVE`.',
    );
  try {
    for (const reference of await loadImage({ socket, archive: path ?? context.stdin })) context.stdout.write(`loaded ${reference}\n`);
  } catch (error) {
    throw new UsageError(`the archive ${archive} could not be loaded: ${messageOf(error)}`);
  }
  return exitCodes.ok;
}
