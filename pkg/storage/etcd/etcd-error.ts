/** What etcd's refusals mean: whether anything may have been written, and whether to ask again. */
import { status } from '@grpc/grpc-js';
import { codeOf, messageOf } from '#base/errors';

/**
 * - `unanswered`: etcd (or this member) does not answer now; a write may or may not have been done. Ask again, elsewhere.
 * - `busy`: refused for now, nothing was written. Ask again.
 * - `token`: the token is no longer good, nothing was written. Sign in, and ask again.
 * - `compacted`, `future`: the revision asked for. `full`: no space, nothing was written.
 * - `refused`: it will not do this, nothing was written; asking again is of no use.
 */
export type EtcdErrorKind = 'unanswered' | 'busy' | 'token' | 'compacted' | 'future' | 'full' | 'refused';

export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly kind: EtcdErrorKind;
  constructor(kind: EtcdErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** etcd has no code of its own for most of these: its words are its interface. The first that matches counts. */
const words: readonly (readonly [string, EtcdErrorKind])[] = [
  ['required revision has been compacted', 'compacted'],
  ['required revision is a future revision', 'future'],
  ['database space exceeded', 'full'],
  ['invalid auth token', 'token'],
  ['revision of auth store is old', 'token'],
  ['too many requests', 'busy'],
  // Said before a request is looked at, because we ask for it (see `EtcdConnection.metadata`).
  ['no leader', 'busy'],
];

const asksAgain: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.ABORTED,
  status.INTERNAL,
  status.UNKNOWN,
]);

/** The meaning of a failed call; `member` is whom it went to. */
export function toEtcdError(error: unknown, member: string): EtcdError {
  const code = typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  const details = detailsOf(error);
  const spoken = words.find(([phrase]) => details.includes(phrase))?.[1];
  const kind = spoken ?? (code === undefined || asksAgain.has(code) ? 'unanswered' : 'refused');
  return new EtcdError(kind, `etcd at ${member}: ${explain(details)}`, { cause: error });
}

/** Whether waiting and asking again may help. */
export function isPassing(error: unknown): error is EtcdError {
  return error instanceof EtcdError && (error.kind === 'unanswered' || error.kind === 'busy' || error.kind === 'token');
}

function detailsOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'details' in error && typeof error.details === 'string' && error.details !== '') {
    return error.details;
  }
  return codeOf(error) === undefined ? messageOf(error) : `${codeOf(error)}: ${messageOf(error)}`;
}

/** What to do, for what an operator can mend. */
function explain(details: string): string {
  const text = details
    .replace(/^etcdserver: /, '')
    .replace(/^No connection established\. Last error: (?:Error: )?(.*?)\. Resolution note:.*$/s, '$1');
  if (text.includes('user name is empty')) return `${text}; it wants a user: --etcd-user and --etcd-password-file`;
  if (text.includes('authentication failed')) return `${text}; are --etcd-user and --etcd-password-file right?`;
  if (text.includes('permission denied')) return `${text}; the user needs a role that may read and write all keys under Berth's prefix`;
  if (text.includes('database space exceeded')) {
    return `${text}; compact and defragment it, or give it a larger --quota-backend-bytes, then disarm its alarm (etcdctl alarm disarm)`;
  }
  return text;
}
