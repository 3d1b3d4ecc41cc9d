import { literal, type Section } from './section.ts';

/** Compose's entrypoint is Kubernetes' command, and its command the args. An entrypoint drops the image's own command, as Docker does. */
export const command: Section = {
  name: 'command',
  keys: ['command', 'entrypoint', 'working_dir', 'tty', 'stdin_open'],
  apply({ service }, { container }) {
    const { entrypoint, command: args } = service;
    // An empty entrypoint takes the image's away, so that the command's first word is run.
    if (entrypoint !== undefined && entrypoint !== null && entrypoint.length > 0) container.command = entrypoint.map(literal);
    if (args !== undefined && args !== null && args.length > 0) {
      if (entrypoint?.length === 0) container.command = args.map(literal);
      else container.args = args.map(literal);
    }
    if (service.working_dir !== undefined) container.workingDir = service.working_dir;
    if (service.tty === true) container.tty = true;
    if (service.stdin_open === true) container.stdin = true;
  },
};
