/** Rules for probes and lifecycle hooks. */
import type { FieldErrors } from '../field-errors.ts';
import { checkPortNumber } from '../names.ts';
import type { Container, ExecAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction } from '../shapes/types/core-v1.ts';
import { requireNonNegative, requireOneOf, validatePort } from './checks.ts';

interface Handlers {
  readonly exec?: ExecAction;
  readonly httpGet?: HTTPGetAction;
  readonly tcpSocket?: TCPSocketAction;
  readonly grpc?: { readonly port: number };
  readonly sleep?: { readonly seconds: number };
}

export function validateProbes(container: Container, path: string, errors: FieldErrors): void {
  const { livenessProbe, readinessProbe, startupProbe } = container;
  if (livenessProbe !== undefined) validateProbe(livenessProbe, true, `${path}.livenessProbe`, errors);
  if (readinessProbe !== undefined) validateProbe(readinessProbe, false, `${path}.readinessProbe`, errors);
  if (startupProbe !== undefined) validateProbe(startupProbe, true, `${path}.startupProbe`, errors);
}

function validateProbe(probe: Probe, succeedsOnce: boolean, path: string, errors: FieldErrors): void {
  validateHandler(probe, undefined, path, errors);
  requireNonNegative(probe.initialDelaySeconds, `${path}.initialDelaySeconds`, errors);
  requireNonNegative(probe.timeoutSeconds, `${path}.timeoutSeconds`, errors);
  requireNonNegative(probe.periodSeconds, `${path}.periodSeconds`, errors);
  requireNonNegative(probe.successThreshold, `${path}.successThreshold`, errors);
  requireNonNegative(probe.failureThreshold, `${path}.failureThreshold`, errors);
  if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0) {
    errors.invalid(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must be greater than 0');
  }
  if (!succeedsOnce && probe.terminationGracePeriodSeconds !== undefined) {
    errors.invalid(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must not be set for readinessProbes');
  }
  if (succeedsOnce && probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    errors.invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1');
  }
}

/** `grace`: the pod's terminationGracePeriodSeconds. */
export function validateLifecycle(container: Container, grace: number | undefined, path: string, errors: FieldErrors): void {
  const { postStart, preStop } = container.lifecycle ?? {};
  if (postStart !== undefined) validateHandler(postStart, grace, `${path}.lifecycle.postStart`, errors);
  if (preStop !== undefined) validateHandler(preStop, grace, `${path}.lifecycle.preStop`, errors);
}

function validateHandler(handler: Probe | LifecycleHandler, grace: number | undefined, path: string, errors: FieldErrors): void {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler as Handlers;
  let count = 0;
  const isNext = (name: string): boolean => {
    if (++count > 1) errors.forbidden(`${path}.${name}`, 'may not specify more than 1 handler type');
    return count === 1;
  };
  if (exec !== undefined && isNext('exec') && (exec.command ?? []).length === 0) errors.required(`${path}.exec.command`);
  if (httpGet !== undefined && isNext('httpGet')) validateHttpGet(httpGet, `${path}.httpGet`, errors);
  if (tcpSocket !== undefined && isNext('tcpSocket')) validatePort(tcpSocket.port, `${path}.tcpSocket.port`, errors);
  if (grpc !== undefined && isNext('grpc'))
    for (const fault of checkPortNumber(grpc.port)) errors.invalid(`${path}.grpc.port`, grpc.port, fault);
  if (sleep !== undefined && isNext('sleep') && grace !== undefined && (sleep.seconds < 0 || sleep.seconds > grace)) {
    errors.invalid(`${path}.sleep`, sleep.seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`);
  }
  if (count === 0) errors.required(path, 'must specify a handler type');
}

function validateHttpGet(action: HTTPGetAction, path: string, errors: FieldErrors): void {
  if ((action.path ?? '') === '') errors.required(`${path}.path`);
  validatePort(action.port, `${path}.port`, errors);
  requireOneOf(action.scheme, `${path}.scheme`, ['HTTP', 'HTTPS'], errors);
  for (const { name } of action.httpHeaders ?? []) {
    if (!/^[-A-Za-z0-9]+$/.test(name)) {
      errors.invalid(
        `${path}.httpHeaders`,
        name,
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
      );
    }
  }
}
