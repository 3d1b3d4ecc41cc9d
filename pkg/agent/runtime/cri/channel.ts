/**
 * The gRPC connection to a runtime's socket: clients for CRI and for the two services of containerd that CRI lacks, promises instead of
 * callbacks, and gRPC's codes (with what runtimes put into their texts) as `RuntimeError`.
 */
import { type CallOptions, type ClientUnaryCall, connectivityState, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { codeOf, messageOf } from '#base/errors';
import { RuntimeError, type RuntimeErrorCode } from '../runtime.ts';
import { ContentClient } from './generated/containerd-content.ts';
import { EventsClient } from './generated/containerd-events.ts';
import { ImageServiceClient, RuntimeServiceClient } from './generated/runtime.ts';
import { shortMessage } from './short-message.ts';

export interface CriChannel {
  readonly runtime: RuntimeServiceClient;
  readonly images: ImageServiceClient;
  readonly events: EventsClient;
  readonly content: ContentClient;
  close(): void;
}

/** `endpoint` is `unix:///absolute/path`. Nothing is dialled before the first call. */
export function openChannel(endpoint: string): CriChannel {
  const options = {
    // grpc-js would send the socket's path, which some servers refuse.
    'grpc.default_authority': 'localhost',
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.min_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 500,
    'grpc.max_receive_message_length': 64 << 20,
    // One connection a runtime, not one shared by whoever dialled the same path before: a closed channel must not close another's.
    'grpc.use_local_subchannel_pool': 1,
  };
  const plain = credentials.createInsecure();
  const runtime = new RuntimeServiceClient(endpoint, plain, options);
  const shared = { ...options, channelOverride: runtime.getChannel() };
  return {
    runtime,
    images: new ImageServiceClient(endpoint, plain, shared),
    events: new EventsClient(endpoint, plain, shared),
    content: new ContentClient(endpoint, plain, shared),
    close: () => runtime.close(),
  };
}

/** containerd's own services want to know its namespace; CRI's is always this one. */
export function containerdMetadata(): Metadata {
  const metadata = new Metadata();
  metadata.set('containerd-namespace', 'k8s.io');
  return metadata;
}

/** Resolves when the connection, made if it is not there, ends or cannot be made; or when the signal aborts. */
export function disconnected(channel: CriChannel, signal: AbortSignal): Promise<void> {
  const grpc = channel.runtime.getChannel();
  return new Promise((resolve) => {
    const look = (): void => {
      const state = grpc.getConnectivityState(true);
      if (signal.aborted || state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) resolve();
      else grpc.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => (state === connectivityState.READY ? resolve() : look()));
    };
    signal.addEventListener('abort', () => resolve(), { once: true });
    look();
  });
}

type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

export interface CallLimits {
  /** Milliseconds; none unless given. */
  readonly deadline?: number;
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: Metadata;
}

/** One call; rejects with `RuntimeError`, or with the signal's reason when it aborts. */
export function call<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  limits: CallLimits = {},
): Promise<Response> {
  const { signal } = limits;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const options = limits.deadline === undefined ? {} : { deadline: Date.now() + limits.deadline };
    const running = method(request, limits.metadata ?? new Metadata(), options, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error === null) resolve(response);
      else reject(signal?.aborted ? signal.reason : toRuntimeError(error));
    });
    const cancel = (): void => running.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** gRPC's numbers. */
const codes: Readonly<Record<number, RuntimeErrorCode>> = {
  3: 'InvalidArgument',
  4: 'DeadlineExceeded',
  5: 'NotFound',
  6: 'AlreadyExists',
  7: 'Unauthenticated',
  12: 'Unsupported',
  14: 'Unavailable',
  16: 'Unauthenticated',
};

/** What runtimes say in words under the code UNKNOWN; the first that matches counts. */
const phrases: readonly (readonly [RegExp, RuntimeErrorCode])[] = [
  // containerd, for some moments after its start; and where it, or a shim of its, has just ended.
  [/server is not initialized yet|ttrpc: closed|transport is closing|error reading from server: EOF/i, 'Unavailable'],
  [/is reserved for|already exists/i, 'AlreadyExists'],
  [/401 unauthorized|403 forbidden|pull access denied|authorization failed|insufficient_scope|failed to authorize/i, 'Unauthenticated'],
  [
    /no such host|connection refused|i\/o timeout|network is unreachable|no route to host|tls handshake|certificate|connection reset|server misbehaving|50[0234] |failed to do request/i,
    'Unavailable',
  ],
  [/executable file not found|exec: .*no such file or directory|stat .*: no such file or directory/i, 'NotFound'],
  [/: not found/i, 'NotFound'],
  [/invalid reference format|could not parse reference/i, 'InvalidArgument'],
];

export function toRuntimeError(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const code = grpcCodeOf(error);
  const message = detailsOf(error);
  const known = code === undefined ? undefined : codes[code];
  const spoken = known ?? phrases.find(([pattern]) => pattern.test(message))?.[1] ?? 'Unknown';
  const text = code === 14 ? `the container runtime does not answer: ${message}` : shortMessage(message);
  return new RuntimeError(spoken, text, { cause: error });
}

function grpcCodeOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function detailsOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'details' in error && typeof error.details === 'string' && error.details !== '') {
    return error.details;
  }
  return codeOf(error) === undefined ? messageOf(error) : `${codeOf(error)}: ${messageOf(error)}`;
}
