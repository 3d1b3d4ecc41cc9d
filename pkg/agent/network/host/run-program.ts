import { execFile } from 'node:child_process';
import { codeOf, messageOf } from '#base/errors';
import { searchPath } from '../../runtime/containerd/binaries.ts';

const packages: Readonly<Record<string, string>> = { ip: 'iproute2', nft: 'nftables' };

/** Output of a program of the host (`ip`, `iptables`). Throws with its complaint, or with what to install. */
export function runProgram(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: { ...process.env, PATH: searchPath(), LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (codeOf(error) === 'ENOENT')
        reject(new Error(`the program "${program}" was not found: install ${packages[program] ?? program}`));
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || messageOf(error)}`, { cause: error }));
    });
  });
}
