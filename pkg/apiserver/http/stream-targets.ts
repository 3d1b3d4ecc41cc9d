/**
 * What `log`, `exec`, `attach` and `portforward` of a pod ask for: their parameters and the pod become the target that a node
 * opens, or a refusal in Kubernetes' words. Pure; nothing is opened here.
 */
import { isTerminal } from '#api/pod-phase';
import type { Pod } from '#api/shapes/types/core-v1';
import { StatusError } from '#base/errors';
import type { AttachTarget, ExecTarget, LogTarget, PortForwardTarget } from '#client/node-connector';
import { flag, integer } from './query.ts';

const defaultContainer = 'kubectl.kubernetes.io/default-container';

/** `now` is in milliseconds since 1970. Throws `BadRequest` or `Invalid`. */
export function logStream(
  pod: Pod,
  query: URLSearchParams,
  now: number,
): { readonly nodeName: string | undefined; readonly target: LogTarget } {
  const tailLines = atLeast(query, 'tailLines', 0);
  const limitBytes = atLeast(query, 'limitBytes', 1);
  const sinceSeconds = atLeast(query, 'sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  if (sinceSeconds !== undefined && sinceTime !== null && sinceTime !== '') {
    throw invalidLogOption('sinceSeconds', 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified');
  }
  let since = sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000;
  if (sinceTime !== null && sinceTime !== '') since = Date.parse(sinceTime);
  if (since !== undefined && Number.isNaN(since)) {
    throw invalidLogOption('sinceTime', `Invalid value: ${JSON.stringify(sinceTime)}: must be a time as RFC 3339 has it`);
  }
  const stream = query.get('stream');
  if (stream !== null && stream !== '' && stream !== 'All') {
    throw invalidLogOption('stream', `Unsupported value: ${JSON.stringify(stream)}: supported values: "All"`);
  }
  const target: LogTarget = {
    type: 'logs',
    ...identity(pod),
    container: chooseContainer(pod, query.get('container')),
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === undefined ? {} : { sinceMilliseconds: since }),
  };
  return { nodeName: pod.spec?.nodeName, target };
}

/** Throws `BadRequest`. */
export function execStream(pod: Pod, query: URLSearchParams): { readonly nodeName: string; readonly target: ExecTarget } {
  const command = query.getAll('command');
  if (command.length === 0 || command[0] === '') {
    throw new StatusError('BadRequest', 'you must specify at least one command for the container: add command=…');
  }
  refuseTerminal(pod, 'exec into');
  const container = chooseContainer(pod, query.get('container'));
  return { nodeName: nodeOf(pod), target: { type: 'exec', podUid: uidOf(pod), container, command, ...standardStreams(query) } };
}

/** Throws `BadRequest`. */
export function attachStream(pod: Pod, query: URLSearchParams): { readonly nodeName: string; readonly target: AttachTarget } {
  refuseTerminal(pod, 'attach');
  const container = chooseContainer(pod, query.get('container'));
  return { nodeName: nodeOf(pod), target: { type: 'attach', podUid: uidOf(pod), container, ...standardStreams(query) } };
}

/** Throws `BadRequest`. */
export function portForwardStream(pod: Pod, query: URLSearchParams): { readonly nodeName: string; readonly target: PortForwardTarget } {
  const ports = query
    .getAll('ports')
    .flatMap((list) => list.split(','))
    .filter((port) => port !== '')
    .map((port) => {
      const number = Number(port);
      if (!Number.isInteger(number) || number < 1 || number > 65_535) {
        throw new StatusError('BadRequest', `port ${JSON.stringify(port)} is not a number from 1 to 65535`);
      }
      return number;
    });
  return { nodeName: nodeOf(pod), target: { type: 'portForward', podUid: uidOf(pod), ports } };
}

/** The one asked for, else the one that the pod's annotation names, else the first. */
function chooseContainer(pod: Pod, asked: string | null): string {
  const containers = namesOf(pod.spec?.containers);
  const init = namesOf(pod.spec?.initContainers);
  const name = pod.metadata.name ?? '';
  if (asked !== null && asked !== '') {
    if ([...containers, ...init, ...namesOf(pod.spec?.ephemeralContainers)].includes(asked)) return asked;
    throw new StatusError('BadRequest', `container ${asked} is not valid for pod ${name}`);
  }
  const annotated = pod.metadata.annotations?.[defaultContainer];
  if (annotated !== undefined && containers.includes(annotated)) return annotated;
  const first = containers[0];
  if (first === undefined) throw new StatusError('BadRequest', `pod ${name} has no containers`);
  return first;
}

function namesOf(list: readonly { readonly name: string }[] | undefined): string[] {
  return (list ?? []).map((container) => container.name);
}

function standardStreams(query: URLSearchParams): Pick<ExecTarget, 'stdin' | 'stdout' | 'stderr' | 'tty'> {
  const tty = flag(query, 'tty');
  const streams = { stdin: flag(query, 'stdin'), stdout: flag(query, 'stdout'), stderr: flag(query, 'stderr') && !tty, tty };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw new StatusError('BadRequest', 'you must specify at least 1 of stdin, stdout, stderr');
  }
  return streams;
}

function identity(pod: Pod): { namespace: string; pod: string; podUid: string } {
  return { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name ?? '', podUid: uidOf(pod) };
}

function uidOf(pod: Pod): string {
  return pod.metadata.uid ?? '';
}

function nodeOf(pod: Pod): string {
  const node = pod.spec?.nodeName;
  if (node !== undefined && node !== '') return node;
  throw new StatusError('BadRequest', `pod ${pod.metadata.name ?? ''} does not have a host assigned`);
}

function atLeast(query: URLSearchParams, name: string, minimum: number): number | undefined {
  const value = integer(query, name);
  if (value === undefined || value >= minimum) return value;
  throw invalidLogOption(name, `Invalid value: ${value}: must be greater than or equal to ${minimum}`);
}

function invalidLogOption(field: string, message: string): StatusError {
  return new StatusError('Invalid', `PodLogOptions "" is invalid: ${field}: ${message}`, {
    details: { kind: 'PodLogOptions', causes: [{ reason: 'FieldValueInvalid', field, message }] },
  });
}

function refuseTerminal(pod: Pod, action: string): void {
  if (!isTerminal(pod)) return;
  throw new StatusError('BadRequest', `cannot ${action} a container in a completed pod; current phase is ${pod.status?.phase}`);
}
