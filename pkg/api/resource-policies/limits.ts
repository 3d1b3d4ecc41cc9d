/** What limit ranges fill in and refuse, in Kubernetes' words. Pure but for the pod that is completed. */
import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from '../quantity.ts';
import type { Container, LimitRangeItem, PersistentVolumeClaim, Pod } from '../shapes/types/core-v1.ts';
import { podTotals } from './pod-totals.ts';

const annotation = 'kubernetes.io/limit-ranger';

/** Gives containers the defaults of the items, and says so in an annotation. What a container says itself stays. */
export function defaultContainers(pod: Pod, items: readonly LimitRangeItem[]): void {
  const ofContainers = items.filter(({ type }) => type === 'Container');
  const requests = Object.assign({}, ...ofContainers.map((item) => item.defaultRequest ?? {})) as Record<string, string>;
  const limits = Object.assign({}, ...ofContainers.map((item) => item.default ?? {})) as Record<string, string>;
  const told = [
    ...(pod.spec.containers ?? []).flatMap((container) => defaultContainer(container, 'container', requests, limits)),
    ...(pod.spec.initContainers ?? []).flatMap((container) => defaultContainer(container, 'init container', requests, limits)),
  ];
  if (told.length > 0)
    pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${told.join('; ')}` };
}

function defaultContainer(
  container: Container,
  what: string,
  requests: Readonly<Record<string, string>>,
  limits: Readonly<Record<string, string>>,
): string[] {
  const { resources = {} } = container;
  const missing = (defaults: Readonly<Record<string, string>>, present: Readonly<Record<string, string>> = {}): string[] =>
    Object.keys(defaults).filter((name) => !Object.hasOwn(present, name));
  const [newLimits, newRequests] = [missing(limits, resources.limits), missing(requests, resources.requests)];
  if (newLimits.length + newRequests.length === 0) return [];
  container.resources = {
    ...resources,
    ...(newLimits.length === 0 ? {} : { limits: { ...limits, ...resources.limits } }),
    ...(newRequests.length === 0 ? {} : { requests: { ...requests, ...resources.requests } }),
  };
  const say = (names: readonly string[], of: string): string[] =>
    names.length === 0 ? [] : [`${names.toSorted().join(', ')} ${of} for ${what} ${container.name}`];
  return [...say(newRequests, 'request'), ...say(newLimits, 'limit')];
}

interface Asked {
  readonly request: Quantity | undefined;
  readonly limit: Quantity | undefined;
  /** As they are spelled. */
  readonly texts: { readonly request: string; readonly limit: string };
}

/** What is wrong with a new pod. */
export function podFaults(pod: Pod, items: readonly LimitRangeItem[]): string[] {
  return items.flatMap((item) => {
    if (item.type === 'Container') {
      return [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].flatMap(({ resources }) =>
        faultsOf(item, 'Container', (name) => asked(resources?.requests?.[name], resources?.limits?.[name])),
      );
    }
    if (item.type !== 'Pod') return [];
    const [requests, limits] = [podTotals(pod.spec, 'requests'), podTotals(pod.spec, 'limits')];
    return faultsOf(item, 'Pod', (name) => asked(textOf(requests.get(name)), textOf(limits.get(name))));
  });
}

/** What is wrong with a claim. */
export function claimFaults({ spec }: PersistentVolumeClaim, items: readonly LimitRangeItem[]): string[] {
  return items
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap((item) => {
      const what = 'PersistentVolumeClaim';
      const one = (name: string): Asked => asked(spec.resources?.requests?.[name], undefined);
      const above = Object.entries(item.max ?? {}).flatMap(([name, max]) => {
        const { request, texts } = one(name);
        const said = `maximum ${name} usage per ${what} is ${max}`;
        if (request === undefined) return [`${said}.  No request is specified`];
        return compareQuantities(request, parseQuantity(max)) > 0 ? [`${said}, but request is ${texts.request}`] : [];
      });
      return [...below(item, what, one), ...above];
    });
}

function asked(request: string | undefined, limit: string | undefined): Asked {
  return {
    request: request === undefined ? undefined : parseQuantity(request),
    limit: limit === undefined ? undefined : parseQuantity(limit),
    texts: { request: request ?? '', limit: limit ?? '' },
  };
}

function textOf(quantity: Quantity | undefined): string | undefined {
  return quantity === undefined ? undefined : formatQuantity(quantity);
}

function below({ min = {} }: LimitRangeItem, what: string, of: (name: string) => Asked): string[] {
  return Object.entries(min).flatMap(([name, text]) => {
    const least = parseQuantity(text);
    const { request, limit, texts } = of(name);
    const said = `minimum ${name} usage per ${what} is ${text}`;
    if (request === undefined) return [`${said}.  No request is specified`];
    if (compareQuantities(request, least) < 0) return [`${said}, but request is ${texts.request}`];
    return limit !== undefined && compareQuantities(limit, least) < 0 ? [`${said}, but limit is ${texts.limit}`] : [];
  });
}

function faultsOf(item: LimitRangeItem, what: string, of: (name: string) => Asked): string[] {
  const above = Object.entries(item.max ?? {}).flatMap(([name, text]) => {
    const most = parseQuantity(text);
    const { request, limit, texts } = of(name);
    const said = `maximum ${name} usage per ${what} is ${text}`;
    if (limit === undefined) return [`${said}.  No limit is specified`];
    if (compareQuantities(limit, most) > 0) return [`${said}, but limit is ${texts.limit}`];
    return request !== undefined && compareQuantities(request, most) > 0 ? [`${said}, but request is ${texts.request}`] : [];
  });
  const ratios = Object.entries(item.maxLimitRequestRatio ?? {}).flatMap(([name, text]) => {
    const { request, limit } = of(name);
    const said = `${name} max limit to request ratio per ${what} is ${text}`;
    if (request === undefined || request.nano === 0n) return [`${said}, but no request is specified or request is 0`];
    if (limit === undefined || limit.nano === 0n) return [`${said}, but no limit is specified or limit is 0`];
    const ratio = Number(limit.nano) / Number(request.nano);
    return ratio > Number(parseQuantity(text).nano) / 1e9 ? [`${said}, but provided ratio is ${ratio.toFixed(6)}`] : [];
  });
  return [...below(item, what, of), ...above, ...ratios];
}
