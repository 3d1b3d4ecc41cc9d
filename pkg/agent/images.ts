/**
 * Images on this node: by pull policy present, pulling in the background, or failed with a back-off. Equal references are pulled once at a time
 * however many pods ask. It never blocks: a worker asks, and is woken when the answer changes.
 */
import { fullImageName } from '#api/image-name';
import type { Container, Pod, Secret } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import { codeOf, messageOf } from '#base/errors';
import { isAbort } from '#base/lifecycle';
import type { PodEvents } from './events.ts';
import type { ImageState } from './plan.ts';
import { identityOf } from './pod.ts';
import type { Image, PullOptions, PullProgress, Runtime } from './runtime/runtime.ts';

export interface Images {
  /**
   * Looks whether the container's image is there and, where its policy wants it, begins to pull; `changed` is called when a pull has ended.
   * Never rejects but with the signal's reason: what goes wrong is the state.
   */
  ensure(request: ImageRequest): Promise<ImageState>;
  /** The details of a present one. */
  status(id: string): Promise<Image | undefined>;
}

export interface ImageRequest {
  readonly pod: Pod;
  readonly container: Container;
  /** The pod's pull secrets that exist. */
  readonly pullSecrets: readonly Secret[];
  readonly changed: () => void;
}

export interface ImagesOptions {
  readonly runtime: Runtime;
  readonly events: PodEvents;
  readonly clock: Clock;
  /** Ends pulls that are under way. */
  readonly signal: AbortSignal;
  readonly onPulled?: (seconds: number) => void;
}

/** Progress is told at most this often, milliseconds. */
const progressInterval = 2000;

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}

export const pullBackoff = { initial: 10_000, maximum: 300_000 } as const;

interface Attempt {
  readonly failures: number;
  readonly retryAt: number;
  readonly message: string;
  /** Whether the error itself has been shown as the container's state; from then on it is the back-off. */
  readonly told: boolean;
}

interface Pull {
  done: Promise<PullResult>;
  readonly waiting: Set<() => void>;
  progress: string;
}

type PullResult = { readonly id: string } | { readonly error: string };

export function createImages(options: ImagesOptions): Images {
  const { runtime, events, clock } = options;
  const pulls = new Map<string, Pull>();
  /** By pod and container, as in Kubernetes: a pod that is new tries at once. */
  const attempts = new Map<string, Attempt>();
  /** What this pod's container was given by a pull, so that `Always` does not pull again in a loop. */
  const given = new Map<string, string>();

  const pull = (reference: string, request: ImageRequest): Pull => {
    const running = pulls.get(reference);
    if (running !== undefined) {
      running.waiting.add(request.changed);
      return running;
    }
    const begun = clock.monotonic();
    let told = begun;
    const waiting = new Set([request.changed]);
    const started: Pull = { done: Promise.resolve({ error: '' }), progress: '', waiting };
    const onProgress = ({ doneBytes, totalBytes }: PullProgress): void => {
      started.progress = `${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`;
      if (clock.monotonic() - told < progressInterval) return;
      told = clock.monotonic();
      for (const changed of waiting) changed();
    };
    const credentials = credentialsFor(reference, request.pullSecrets);
    started.done = pullWith(runtime, reference, credentials, onProgress, options.signal).finally(() => {
      pulls.delete(reference);
      options.onPulled?.((clock.monotonic() - begun) / 1000);
    });
    pulls.set(reference, started);
    return started;
  };

  return {
    status: (id) => runtime.imageStatus(id),
    async ensure(request) {
      const { pod, container } = request;
      const key = `${identityOf(pod).uid}/${container.name}/${container.image}`;
      const field = { pod, container: container.name };
      let reference: string;
      try {
        reference = normalizeReference(container.image ?? '');
      } catch (error) {
        const message = `Failed to apply default image tag "${container.image}": ${messageOf(error)}`;
        events.record(field, 'Warning', 'InspectFailed', message);
        events.record(field, 'Warning', 'Failed', 'Error: InvalidImageName');
        return failed('InvalidImageName', message, Number.POSITIVE_INFINITY);
      }
      const policy = pullPolicyOf(container);
      const present = await runtime.imageStatus(reference);
      if (present !== undefined && (policy !== 'Always' || given.has(key))) {
        attempts.delete(key);
        if (!given.delete(key)) {
          events.record(field, 'Normal', 'Pulled', `Container image "${container.image}" already present on machine`);
        }
        return { state: 'Present', id: present.id };
      }
      if (policy === 'Never') {
        events.record(
          field,
          'Warning',
          'ErrImageNeverPull',
          `Container image "${container.image}" is not present with pull policy of Never`,
        );
        const message = `Container image "${container.image}" is not present with pull policy of Never`;
        return failed('ErrImageNeverPull', message, clock.now() + 10_000);
      }
      const attempt = attempts.get(key);
      if (attempt !== undefined && !attempt.told) {
        attempts.set(key, { ...attempt, told: true });
        return failed('ErrImagePull', attempt.message, Math.min(attempt.retryAt, clock.now() + 1000));
      }
      if (attempt !== undefined && attempt.retryAt > clock.now()) {
        events.record(field, 'Normal', 'BackOff', `Back-off pulling image "${container.image}"`);
        return failed('ImagePullBackOff', `Back-off pulling image "${container.image}": ${attempt.message}`, attempt.retryAt);
      }
      const under = pulls.get(reference);
      if (under?.waiting.has(request.changed) === true) return { state: 'Pulling', progress: under.progress };
      if (under === undefined) events.record(field, 'Normal', 'Pulling', `Pulling image "${container.image}"`);
      const begun = clock.monotonic();
      const { done } = pull(reference, request);
      void done.then((result) => {
        if ('id' in result) {
          given.set(key, result.id);
          attempts.delete(key);
          const seconds = ((clock.monotonic() - begun) / 1000).toFixed(3);
          events.record(field, 'Normal', 'Pulled', `Successfully pulled image "${container.image}" in ${seconds}s`);
        } else {
          const failures = (attempt?.failures ?? 0) + 1;
          const delay = Math.min(pullBackoff.maximum, pullBackoff.initial * 2 ** (failures - 1));
          attempts.set(key, { failures, retryAt: clock.now() + delay, message: result.error, told: false });
          events.record(field, 'Warning', 'Failed', `Failed to pull image "${container.image}": ${result.error}`);
          events.record(field, 'Warning', 'Failed', 'Error: ErrImagePull');
        }
        request.changed();
      });
      return { state: 'Pulling', progress: '' };
    },
  };
}

function failed(reason: string, message: string, retryAt: number): ImageState {
  return { state: 'Failed', failure: { reason, message, retryAt } };
}

async function pullWith(
  runtime: Runtime,
  reference: string,
  credentials: readonly (PullOptions['auth'] | undefined)[],
  onProgress: (progress: PullProgress) => void,
  signal: AbortSignal,
): Promise<PullResult> {
  let error: unknown;
  for (const auth of credentials) {
    try {
      return { id: await runtime.pullImage(reference, { ...(auth === undefined ? {} : { auth }), onProgress, signal }) };
    } catch (thrown) {
      if (isAbort(thrown)) return { error: 'the pull was ended' };
      error = thrown;
      if (codeOf(thrown) !== 'Unauthenticated') break;
    }
  }
  return { error: messageOf(error) };
}

/** `IfNotPresent` unless the policy says otherwise, or the tag is `latest`. */
export function pullPolicyOf(container: Container): 'Always' | 'IfNotPresent' | 'Never' {
  const policy = container.imagePullPolicy;
  if (policy === 'Always' || policy === 'Never' || policy === 'IfNotPresent') return policy;
  return (container.image ?? '').endsWith(':latest') || !/[:@][^/]*$/.test(container.image ?? '') ? 'Always' : 'IfNotPresent';
}

const referencePattern =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?)\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$/;

/** The full form: registry, `library/` where Docker's hub has it so, tag `latest` when nothing is said. Throws for what is no reference. */
export function normalizeReference(image: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return image;
  if (!referencePattern.test(image)) throw new Error('invalid reference format');
  return fullImageName(image);
}

/** What to try in turn: each secret's login for the image's registry; without any, no login. */
export function credentialsFor(reference: string, secrets: readonly Secret[]): readonly (PullOptions['auth'] | undefined)[] {
  const registry = reference.slice(0, reference.indexOf('/'));
  const found = secrets.flatMap((secret) =>
    loginsOf(secret)
      .filter(({ host }) => matches(host, registry))
      .map(({ auth }) => auth),
  );
  return found.length === 0 ? [undefined] : found;
}

function matches(host: string, registry: string): boolean {
  const bare = host.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  if (registry === 'docker.io') return ['docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(bare);
  return bare === registry;
}

interface Login {
  readonly host: string;
  readonly auth: { readonly username: string; readonly password: string };
}

function loginsOf(secret: Secret): Login[] {
  const text = secret.data?.['.dockerconfigjson'] ?? secret.data?.['.dockercfg'];
  if (text === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    return [];
  }
  const auths = secret.data?.['.dockerconfigjson'] === undefined ? parsed : isRecord(parsed) ? parsed.auths : undefined;
  if (!isRecord(auths)) return [];
  return Object.entries(auths).flatMap(([host, entry]) => {
    if (!isRecord(entry)) return [];
    let { username, password } = entry;
    if (typeof entry.auth === 'string' && typeof username !== 'string') {
      const decoded = Buffer.from(entry.auth, 'base64').toString('utf8');
      username = decoded.slice(0, decoded.indexOf(':'));
      password = decoded.slice(decoded.indexOf(':') + 1);
    }
    return typeof username === 'string' && typeof password === 'string' ? [{ host, auth: { username, password } }] : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
