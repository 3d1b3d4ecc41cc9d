import type { Verb } from '../verb.ts';

interface ImageFlags {
  readonly containerd?: string;
}

export const imageVerb: Verb = {
  declare: (program, run) => {
    const image = program.command('image').description("images of this machine's node");
    image
      .command('load')
      .description('bring images from an archive (docker save, or OCI) onto this node, with no registry')
      .argument('[archive]', 'the archive; - or nothing for stdin', '-')
      .option('--containerd <socket>', "into this containerd instead of Berth's own")
      .action((archive: string, flags: ImageFlags) =>
        run(async (context) => {
          const { loadArchive } = await import('../local-images.ts');
          return await loadArchive(context, archive, flags);
        }),
      );
    image
      .command('list')
      .description('the images that this node has')
      .option('--containerd <socket>', "of this containerd instead of Berth's own")
      .action((flags: ImageFlags) =>
        run(async (context) => {
          const { listImages } = await import('../local-images.ts');
          return await listImages(context, flags);
        }),
      );
  },
};
