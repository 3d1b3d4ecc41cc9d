/**
 * Lets pods through a firewall that drops what it does not know (Docker sets FORWARD to DROP, ufw INPUT as well). A verdict of ours cannot
 * overrule another table's drop, so rules go into that chain, marked as Berth's, and only where its policy is not to accept.
 */
import { findProgram } from '../../runtime/containerd/binaries.ts';
import { runProgram } from './run-program.ts';

export interface FirewallNeeds {
  /** Marks the rules; unique to this agent on the machine. */
  readonly mark: string;
  readonly bridge: string;
}

/** Adds what is missing; nothing where there is no iptables. */
export async function openHostFirewall(needs: FirewallNeeds): Promise<void> {
  const iptables = findProgram('iptables');
  if (iptables === undefined) return;
  const current = await runProgram(iptables, ['-w', '-S']);
  for (const rule of wantedRules(current, needs)) {
    const [chain = '', ...match] = rule;
    await runProgram(iptables, ['-w', '-I', chain, '1', ...match]);
  }
}

export async function closeHostFirewall(mark: string): Promise<void> {
  const iptables = findProgram('iptables');
  if (iptables === undefined) return;
  const current = await runProgram(iptables, ['-w', '-S']);
  for (const line of current.split('\n')) {
    if (!line.startsWith('-A ') || !hasMark(line, mark)) continue;
    const [, chain = '', ...match] = line.split(' ').map((word) => word.replace(/^"|"$/g, ''));
    await runProgram(iptables, ['-w', '-D', chain, ...match]);
  }
}

/** The rules that `current` (as `iptables -S` prints it) lacks: pure. */
export function wantedRules(current: string, needs: FirewallNeeds): string[][] {
  const lines = current.split('\n');
  const drops = (chain: string): boolean => {
    const policy = lines.find((line) => line.startsWith(`-P ${chain} `));
    return (
      policy !== undefined &&
      !policy.endsWith(' ACCEPT') &&
      !lines.some((line) => line.startsWith(`-A ${chain} `) && hasMark(line, needs.mark))
    );
  };
  const comment = ['-m', 'comment', '--comment', needs.mark, '-j', 'ACCEPT'];
  return [
    ...(drops('FORWARD')
      ? [
          ['FORWARD', '-i', needs.bridge, ...comment],
          ['FORWARD', '-o', needs.bridge, ...comment],
        ]
      : []),
    ...(drops('INPUT') ? [['INPUT', '-i', needs.bridge, ...comment]] : []),
  ];
}

function hasMark(line: string, mark: string): boolean {
  return line.split(' ').some((word, index, words) => words[index - 1] === '--comment' && word.replaceAll('"', '') === mark);
}
