import { buildImageArchive, hostArchitecture, type ImageDefinition } from './image-archive.ts';
import { type Architecture, pauseBinary } from './pause-binary.ts';

/** The image of every sandbox: containerd's configuration names it, and it is loaded before containerd is used. */
export const pauseImageReference = 'berth.local/pause:1';

/** Throws where no pause program is written for this machine's architecture. */
export function buildPauseImage(architecture: string = hostArchitecture()): Promise<Uint8Array> {
  if (!isSupported(architecture)) {
    throw new Error(`Berth has no pause image for the architecture "${architecture}" (amd64 and arm64 are supported)`);
  }
  const definition: ImageDefinition = {
    reference: pauseImageReference,
    architecture,
    entries: [{ path: 'pause', content: pauseBinary(architecture), mode: 0o755 }],
    entrypoint: ['/pause'],
    user: '65535:65535',
  };
  return buildImageArchive(definition);
}

function isSupported(architecture: string): architecture is Architecture {
  return architecture === 'amd64' || architecture === 'arm64';
}
