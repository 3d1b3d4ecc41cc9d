/** Runs real commands with a bound, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** Milliseconds; 120 s unless given. Then the command is killed and the promise rejects with what it printed. */
  readonly timeout?: number;
  /** Called with the child as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** The command's result, whatever its exit code. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: options.env ?? process.env, cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    child.stdout.on('data', (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    const result = (code: number | null): CommandResult => ({
      code,
      stdout: Buffer.concat(output.stdout).toString('utf8'),
      stderr: Buffer.concat(output.stderr).toString('utf8'),
    });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      const { stdout, stderr } = result(null);
      reject(new Error(`${command} ${args.join(' ')} did not end in time\n${stdout}\n${stderr}`));
    }, options.timeout ?? 120_000);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve(result(code));
    });
    options.onStart?.(child);
    child.stdin.end(options.input);
  });
}

/** Asks until `attempt` gives something other than undefined, or throws what it last threw. `timeout` in milliseconds. */
export async function eventually<T>(what: string, attempt: () => Promise<T | undefined>, timeout = 90_000, pause = 100): Promise<T> {
  const deadline = performance.now() + timeout;
  let reason = '';
  for (;;) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      reason = error instanceof Error ? error.message : String((error as { message?: unknown }).message ?? error);
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}${reason === '' ? '' : ` (${reason})`}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
