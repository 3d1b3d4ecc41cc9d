/**
 * A container's environment, command and arguments, with everything that Kubernetes puts into them: config maps, secrets, fields of the pod,
 * resources, service links, and `$(NAME)` expansion. Pure: what it needs is handed in.
 */
import { parseQuantity } from '#api/quantity';
import type { ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret, Service } from '#api/shapes/types/core-v1';

/** What the pod asks for cannot be had now: the container waits with `CreateContainerConfigError`. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
}

export interface EnvironmentSources {
  /** Of the pod's namespace; undefined where it does not exist. */
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** The services that links are made for; see `linkedServices`. */
  readonly services: readonly Service[];
  readonly podAddresses: readonly string[];
  readonly hostAddresses: readonly string[];
  /** Stands for a limit that is not set: the node's allocatable, by `cpu`, `memory`, … as quantities. */
  readonly allocatable: Readonly<Record<string, string>>;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
}

/** Throws `ContainerConfigError` naming what is missing. */
export function containerEnvironment(pod: Pod, container: Container, sources: EnvironmentSources): EnvironmentVariable[] {
  const links = pod.spec.enableServiceLinks === false ? new Map<string, string>() : serviceLinks(sources.services);
  const result = new Map<string, string>(links);
  for (const from of container.envFrom ?? []) {
    const data = from.configMapRef !== undefined ? configMapData(from.configMapRef, sources) : secretData(from.secretRef, sources);
    for (const [key, value] of Object.entries(data)) result.set(`${from.prefix ?? ''}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, result, pod, container, sources);
    if (value !== undefined) result.set(variable.name, value);
  }
  return [...result].map(([name, value]) => ({ name, value }));
}

/** Command and arguments with `$(NAME)` expanded. */
export function expandAll(words: readonly string[] | undefined, environment: readonly EnvironmentVariable[]): string[] {
  const values = new Map(environment.map(({ name, value }) => [name, value]));
  return (words ?? []).map((word) => expand(word, values));
}

/** `$(NAME)` becomes the value; what is not defined stays as it is written; `$$` is a plain `$`. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  let result = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character !== '$' || at + 1 >= text.length) {
      result += character;
      continue;
    }
    const next = text[at + 1];
    if (next === '$') {
      result += '$';
      at++;
      continue;
    }
    const end = next === '(' ? text.indexOf(')', at + 2) : -1;
    if (end < 0) {
      result += character;
      continue;
    }
    const name = text.slice(at + 2, end);
    result += values.get(name) ?? `$(${name})`;
    at = end;
  }
  return result;
}

function variableValue(
  variable: EnvVar,
  defined: ReadonlyMap<string, string>,
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): string | undefined {
  if (variable.valueFrom === undefined) return expand(variable.value ?? '', defined);
  return sourceValue(variable.valueFrom, pod, container, sources);
}

function sourceValue(from: EnvVarSource, pod: Pod, container: Container, sources: EnvironmentSources): string | undefined {
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = from.configMapKeyRef;
    const found = sources.configMap(name);
    if (found === undefined) return missing(optional, `configmap "${name}" not found`);
    return found.data?.[key] ?? missing(optional, `couldn't find key ${key} in ConfigMap ${pod.metadata.namespace}/${name}`);
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional } = from.secretKeyRef;
    const found = sources.secret(name);
    if (found === undefined) return missing(optional, `secret "${name}" not found`);
    const value = found.data?.[key];
    return value === undefined ? missing(optional, `couldn't find key ${key} in Secret ${pod.metadata.namespace}/${name}`) : decode(value);
  }
  if (from.fieldRef !== undefined) return fieldValue(from.fieldRef.fieldPath, pod, sources);
  if (from.resourceFieldRef !== undefined) {
    const { containerName, resource, divisor } = from.resourceFieldRef;
    const named = containerName === undefined || containerName === '' ? container : findContainer(pod, containerName);
    if (named === undefined) throw new ContainerConfigError(`container "${containerName}" of a resourceFieldRef not found`);
    return resourceValue(resource, divisor, named, sources.allocatable);
  }
  return undefined;
}

function missing(optional: boolean | undefined, message: string): undefined {
  if (optional === true) return undefined;
  throw new ContainerConfigError(message);
}

function configMapData(
  reference: { readonly name?: string; readonly optional?: boolean },
  sources: EnvironmentSources,
): Record<string, string> {
  const found = sources.configMap(reference.name ?? '');
  if (found === undefined && reference.optional !== true) throw new ContainerConfigError(`configmap "${reference.name}" not found`);
  return found?.data ?? {};
}

function secretData(
  reference: { readonly name?: string; readonly optional?: boolean } | undefined,
  sources: EnvironmentSources,
): Record<string, string> {
  if (reference === undefined) return {};
  const found = sources.secret(reference.name ?? '');
  if (found === undefined && reference.optional !== true) throw new ContainerConfigError(`secret "${reference.name}" not found`);
  return Object.fromEntries(Object.entries(found?.data ?? {}).map(([key, value]) => [key, decode(value)]));
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/;

/** The text of a field of the pod, as `fieldRef` and the downward API name it. Throws `ContainerConfigError` for a path that is not served. */
export function fieldValue(path: string, pod: Pod, addresses: Pick<EnvironmentSources, 'podAddresses' | 'hostAddresses'>): string {
  const { metadata, spec } = pod;
  const part = subscript.exec(path);
  if (part !== null) return metadata[part[1] === 'labels' ? 'labels' : 'annotations']?.[part[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'status.podIP':
      return addresses.podAddresses[0] ?? '';
    case 'status.podIPs':
      return addresses.podAddresses.join(',');
    case 'status.hostIP':
      return addresses.hostAddresses[0] ?? '';
    case 'status.hostIPs':
      return addresses.hostAddresses.join(',');
    default:
      throw new ContainerConfigError(`field path "${path}" is not served to containers`);
  }
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/** A limit or request divided by `divisor` and rounded up, as whole number; a missing limit is the node's allocatable. */
export function resourceValue(
  path: string,
  divisor: string | undefined,
  container: Container,
  allocatable: Readonly<Record<string, string>>,
): string {
  const [kind, ...rest] = path.split('.');
  const resource = rest.join('.');
  if ((kind !== 'limits' && kind !== 'requests') || resource === '')
    throw new ContainerConfigError(`resource "${path}" is not served to containers`);
  const stated = container.resources?.[kind]?.[resource] ?? (kind === 'requests' ? container.resources?.limits?.[resource] : undefined);
  const quantity = stated ?? (kind === 'limits' ? allocatable[resource] : undefined) ?? '0';
  const unit = divisor === undefined || divisor === '' || divisor === '0' ? parseQuantity('1').nano : parseQuantity(divisor).nano;
  return String((parseQuantity(quantity).nano + unit - 1n) / unit);
}

function findContainer(pod: Pod, name: string): Container | undefined {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((container) => container.name === name);
}

/** Of all services those whose links a pod gets: its namespace's with a cluster address, and the API's own, `kubernetes`. */
export function linkedServices(services: readonly Service[], namespace: string): readonly Service[] {
  return services.filter(({ metadata, spec }) => {
    if (spec?.clusterIP === undefined || spec.clusterIP === '' || spec.clusterIP === 'None') return false;
    return metadata.namespace === namespace || (metadata.namespace === 'default' && metadata.name === 'kubernetes');
  });
}

function serviceLinks(services: readonly Service[]): Map<string, string> {
  const result = new Map<string, string>();
  for (const { metadata, spec } of services) {
    const prefix = (metadata.name ?? '').toUpperCase().replaceAll('-', '_');
    const address = spec?.clusterIP ?? '';
    const [first] = spec?.ports ?? [];
    if (first === undefined) continue;
    result.set(`${prefix}_SERVICE_HOST`, address);
    result.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const port of spec?.ports ?? []) {
      if (port.name !== undefined && port.name !== '')
        result.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    }
    result.set(`${prefix}_PORT`, `${(first.protocol ?? 'TCP').toLowerCase()}://${address}:${first.port}`);
    for (const { port, protocol = 'TCP' } of spec?.ports ?? []) {
      const name = `${prefix}_PORT_${port}_${protocol}`;
      result.set(name, `${protocol.toLowerCase()}://${address}:${port}`);
      result.set(`${name}_PROTO`, protocol.toLowerCase());
      result.set(`${name}_PORT`, String(port));
      result.set(`${name}_ADDR`, address);
    }
  }
  return result;
}
