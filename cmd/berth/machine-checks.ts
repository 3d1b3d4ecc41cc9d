/** What can be seen to be in the way before anything is started. */
import { createServer } from 'node:net';
import { codeOf } from '#base/errors';
import { UsageError } from '#cli/verb';

/** Throws `UsageError` where this user cannot run containers. */
export function checkUser(flags: { readonly containerd?: string }): void {
  if (process.getuid?.() === 0 || flags.containerd !== undefined) return;
  throw new UsageError(
    'a node runs containers, which needs root',
    'Run it as root: sudo berth up. `berth server` runs as any user, and `berth agent` on other machines joins it.',
  );
}

/** Throws `UsageError` that names the first port that another program has. */
export async function checkPorts(ports: readonly { readonly flag: string; readonly port: number }[]): Promise<void> {
  for (const { flag, port } of ports) {
    if (await isTaken(port)) {
      throw new UsageError(
        `port ${port} is in use by another program`,
        `Is another Berth running here with a different $BERTH_HOME? End it with \`berth down\`, or choose another port with ${flag}.`,
      );
    }
  }
}

/** On any of this machine's addresses. */
async function isTaken(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '0.0.0.0', exclusive: true }, resolve);
    });
    return false;
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return true;
    if (codeOf(error) === 'EACCES')
      throw new UsageError(`port ${port} may not be opened by this user`, 'Choose a port above 1023, or run as root.');
    throw error;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
