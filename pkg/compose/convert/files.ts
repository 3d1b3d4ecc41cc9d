import type { KeyToPath } from '#api/shapes/types/core-v1';
import { ComposeError } from '../compose-error.ts';
import type { FileMount, FileObject } from '../model.ts';
import { contentKey, objectName } from './names.ts';
import type { Section, ServiceContext, ServiceDraft } from './section.ts';
import { addVolume } from './volumes.ts';

/** Configs and secrets are single files, from the ConfigMap or Secret that the Stack names. New content is a new name, and so a new template. */
export const files: Section = {
  name: 'files',
  keys: ['configs', 'secrets'],
  apply(context, draft) {
    const { service, project, path } = context;
    for (const [index, mount] of (service.configs ?? []).entries()) {
      const where = `${path}.configs[${index}]`;
      const name = objectOf(context, 'config', project.configs?.[mount.source], mount, where);
      add(draft, `config-${index}`, mount, absolute(mount.target ?? mount.source, '/'), (items) => ({ configMap: { name, items } }), where);
    }
    for (const [index, mount] of (service.secrets ?? []).entries()) {
      const where = `${path}.secrets[${index}]`;
      const secretName = objectOf(context, 'secret', project.secrets?.[mount.source], mount, where);
      add(
        draft,
        `secret-${index}`,
        mount,
        absolute(mount.target ?? mount.source, '/run/secrets/'),
        (items) => ({ secret: { secretName, items } }),
        where,
      );
    }
  },
};

function objectOf(_context: ServiceContext, kind: string, object: FileObject | undefined, mount: FileMount, path: string): string {
  if (object === undefined) throw new ComposeError(`undefined ${kind} "${mount.source}"`, { path });
  if (object.external === true) return objectName(object.name ?? mount.source, `${kind}s.${mount.source}`);
  if (object.object === undefined)
    throw new ComposeError(`the ${kind} "${mount.source}" has no object in the cluster`, { path, next: 'apply the file with berth apply' });
  return object.object;
}

function absolute(target: string, folder: string): string {
  return target.startsWith('/') ? target : `${folder}${target}`;
}

function add(
  draft: ServiceDraft,
  name: string,
  mount: FileMount,
  target: string,
  source: (items: KeyToPath[]) => object,
  path: string,
): void {
  const mode = mount.mode === undefined ? 0o444 : Number.parseInt(mount.mode, 8);
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new ComposeError(`${JSON.stringify(mount.mode)} is no file mode`, { path: `${path}.mode`, next: 'use 0000 to 0777' });
  }
  addVolume(draft, { name, ...source([{ key: contentKey, path: contentKey, mode }]) }, target, { subPath: contentKey, readOnly: true });
}
