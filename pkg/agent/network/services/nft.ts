import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { codeOf } from '#base/errors';
import { findProgram } from '../../runtime/containerd/binaries.ts';

/** Runs a script of nft's, as one transaction: all of it holds, or none. Throws with what nft said. */
export async function runNft(script: string, program: string = findProgram('nft') ?? 'nft'): Promise<void> {
  const child = spawn(program, ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
  // nft may end before it has read everything; its code and words tell why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(script);
  try {
    const [code, complaint] = await Promise.all([ended, text(child.stderr)]);
    if (code !== 0) throw new Error(`nft refused the rules: ${complaint.trim().split('\n').slice(0, 4).join(' ')}`);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new Error('the program "nft" was not found: install nftables', { cause: error });
  }
}
