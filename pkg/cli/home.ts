/** Where Berth keeps its state on this machine, and what stands where in it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { VerbContext } from './verb.ts';

export interface BerthHome {
  readonly directory: string;
  /** The admin's kubeconfig, mode 0600. */
  readonly kubeconfig: string;
  /** Process ids of what `berth up` runs, one file a process. */
  readonly run: string;
  readonly logs: string;
  readonly server: string;
  readonly agent: string;
}

/** `$BERTH_HOME`, else `/var/lib/berth` as root, else `~/.berth`. */
export function berthHome(context: Pick<VerbContext, 'environment' | 'workingDirectory'>): BerthHome {
  const given = context.environment.BERTH_HOME;
  const directory =
    given !== undefined && given !== ''
      ? resolve(context.workingDirectory, given)
      : process.getuid?.() === 0
        ? '/var/lib/berth'
        : join(homedir(), '.berth');
  return {
    directory,
    kubeconfig: join(directory, 'kubeconfig'),
    run: join(directory, 'run'),
    logs: join(directory, 'logs'),
    server: join(directory, 'server'),
    agent: join(directory, 'agent'),
  };
}
