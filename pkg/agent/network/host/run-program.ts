import { execFile } from 'node:child_process';
import { messageOf } from '#base/errors';
import { searchPath } from '../../runtime/containerd/binaries.ts';

/** Output of a program of the host (`ip`, `iptables`). Throws with its complaint. */
export function runProgram(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: { ...process.env, PATH: searchPath(), LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || messageOf(error)}`, { cause: error }));
    });
  });
}
