/**
 * Runs a command in a container over SPDY/3.1, as `kubectl exec` does: four streams (error, stdin, stdout, stderr) and one for the terminal's size. The
 * error stream ends with a Status that carries the exit code (v4.channel.k8s.io).
 */
import { pipeline } from 'node:stream/promises';
import { type Status, StatusError } from '#base/errors';
import { SpdyConnection, type SpdyStream } from '#base/spdy/spdy-connection';
import type { Connection } from './connection.ts';
import type { VerbContext } from './verb.ts';

export interface RemoteCommand {
  /** `/api/v1/namespaces/…/pods/…/exec?…`, with what is wanted in its query. */
  readonly path: string;
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** The command's exit code. Throws `StatusError` when it could not be started. */
export async function runRemoteCommand(context: VerbContext, connection: Connection, command: RemoteCommand): Promise<number> {
  const { socket, head } = await connection.upgrade(command.path, {
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
  });
  if (head.length > 0) socket.unshift(head);
  const spdy = new SpdyConnection(socket, { role: 'client' });
  const failure = spdy.createStream({ streamtype: 'error' });
  const stdin = command.stdin ? spdy.createStream({ streamtype: 'stdin' }) : undefined;
  const stdout = spdy.createStream({ streamtype: 'stdout' });
  const stderr = command.tty ? undefined : spdy.createStream({ streamtype: 'stderr' });
  const resize = command.tty ? spdy.createStream({ streamtype: 'resize' }) : undefined;
  failure.end();
  const restore = command.tty ? takeTerminal(context, resize!) : () => undefined;
  try {
    if (stdin !== undefined) {
      stdin.on('error', () => undefined);
      context.stdin.pipe(stdin);
    }
    const [status] = await Promise.all([
      readAll(failure),
      pipeline(stdout, context.stdout, { end: false }),
      stderr === undefined ? undefined : pipeline(stderr, context.stderr, { end: false }),
    ]);
    const code = exitCodeOf(status);
    if (code !== 0) context.stderr.write(`command terminated with exit code ${code}\n`);
    return code;
  } finally {
    restore();
    if (stdin !== undefined) context.stdin.unpipe(stdin);
    context.stdin.pause();
    socket.destroy();
  }
}

/** The exit code in the last word of the error stream: empty for success, else a Status. */
export function exitCodeOf(text: string): number {
  if (text.trim() === '') return 0;
  let status: Status;
  try {
    status = JSON.parse(text) as Status;
  } catch {
    throw new StatusError('InternalError', text.trim());
  }
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
  if (code !== undefined && /^\d+$/.test(code)) return Number(code);
  throw StatusError.fromStatus(status);
}

/** Raw mode, and the terminal's size now and whenever it changes; the result puts it back. */
function takeTerminal(context: VerbContext, resize: SpdyStream): () => void {
  const terminal = context.stdin as VerbContext['stdin'] & { setRawMode?: (raw: boolean) => void };
  const out = context.stdout as VerbContext['stdout'] & { readonly rows?: number };
  const send = (): void => {
    if (out.columns !== undefined && out.rows !== undefined) resize.write(JSON.stringify({ Width: out.columns, Height: out.rows }));
  };
  terminal.setRawMode?.(true);
  out.on('resize', send);
  resize.on('error', () => undefined);
  send();
  return () => {
    out.off('resize', send);
    terminal.setRawMode?.(false);
  };
}

function readAll(stream: SpdyStream): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    stream.once('error', reject);
  });
}
