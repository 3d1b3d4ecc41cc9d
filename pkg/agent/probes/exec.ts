import { codeOf, messageOf } from '#base/errors';
import type { ProbeAction } from './probe-action.ts';

/** A command in the container that exits with 0. Rejects where it could not be run; one that the image does not have has failed. */
export const exec: ProbeAction = {
  name: 'exec',
  async run(probe, target, timeoutMilliseconds) {
    try {
      const { exitCode, stdout, stderr } = await target.runtime.execSync(
        target.containerId,
        probe.exec?.command ?? [],
        timeoutMilliseconds,
      );
      if (exitCode === 0) return { success: true, message: '' };
      const output = Buffer.concat([stdout, stderr]).toString('utf8').slice(0, 10_240);
      return { success: false, message: output === '' ? `command exited with code ${exitCode}` : output };
    } catch (error) {
      if (codeOf(error) === 'DeadlineExceeded')
        return { success: false, message: `command timed out after ${timeoutMilliseconds / 1000}s` };
      // Of anything else the container is not to blame, nor to be ended for it: the runtime was away, or is about to say more.
      if (codeOf(error) !== 'NotFound') throw error;
      return { success: false, message: messageOf(error) };
    }
  },
};
