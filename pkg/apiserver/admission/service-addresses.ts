import { FieldErrors, invalidError } from '#api/field-errors';
import { services } from '#api/shapes/resources';
import type { Service, ServicePort, ServiceSpec } from '#api/shapes/types/core-v1';
import type { StatusError } from '#base/errors';
import type { Backend } from '#storage/backend';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';
import { Ipv4Range, parseIpv4 } from './ipv4-range.ts';
import { ReservationPool } from './reservation-pool.ts';

export interface ServiceAddressOptions {
  readonly backend: Backend;
  /** Where cluster IPs come from; `10.43.0.0/16` unless given. Its first address is the Service `default/kubernetes`. */
  readonly clusterIpRange?: string;
  /** First and last node port; 30000 to 32767 unless given. */
  readonly nodePortRange?: readonly [number, number];
  readonly random?: () => number;
}

export const defaultClusterIpRange = '10.43.0.0/16';

/**
 * Gives Services their cluster IP and node ports, each held by one Service at a time: chosen here, or by the user if free. They are
 * free again with the commit that removes the Service or their use. (That an update which does not mention them keeps them is the kind's.)
 */
export function serviceAddresses(options: ServiceAddressOptions): AdmissionStep {
  const { backend } = options;
  const range = new Ipv4Range(options.clusterIpRange ?? defaultClusterIpRange);
  const [firstPort, lastPort] = options.nodePortRange ?? [30000, 32767];
  const random = options.random ?? Math.random;
  const addresses = new ReservationPool({ backend, name: 'cluster-ips', size: range.size, at: (index) => range.at(index), random });
  const ports = new ReservationPool({
    backend,
    name: 'node-ports',
    size: lastPort - firstPort + 1,
    at: (index) => String(firstPort + index),
    random,
  });

  return {
    name: 'service-addresses',
    resources: [services],
    mutate: async (request) => {
      if (request.operation === 'delete' || request.subresource === 'status') return;
      const service = request.object as Service;
      const old = request.old as Service | undefined;
      await allocateAddress(request, service, old);
      await allocatePorts(request, service, old);
    },
    released: (object) => {
      const { spec } = object as Service;
      return [...addressesOf(spec).map((address) => addresses.key(address)), ...[...portsOf(spec)].map((port) => ports.key(port))];
    },
  };

  async function allocateAddress(request: AdmissionRequest, service: Service, old: Service | undefined): Promise<void> {
    const { spec } = service;
    const held = old === undefined ? [] : addressesOf(old.spec);
    if (!needsAddress(spec)) {
      // What came with the former type goes with it; what the user asks for here is refused by the validation of the kind.
      if (spec.type === 'ExternalName' && held.includes(spec.clusterIP ?? '')) dropAddresses(spec);
      for (const address of held) request.reserve(addresses.release(address));
      if (spec.clusterIP === 'None') publish(spec, 'None');
      return;
    }
    const asked = spec.clusterIP ?? spec.clusterIPs?.[0] ?? '';
    if (asked !== '' && held.includes(asked)) {
      publish(spec, asked);
      return;
    }
    // An old address that is replaced: validation refuses that, unless the Service had none before.
    if (asked === '') {
      const chosen = await addresses.choose(request.attempt, new Set());
      publish(spec, chosen);
      request.reserve(addresses.hold(chosen, holderOf(service)));
      return;
    }
    // What is no address is refused by the validation of the kind.
    if (parseIpv4(asked) === undefined) return;
    if (!range.has(asked)) {
      throw notAllocated(service, asked, `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${range.text}`);
    }
    publish(spec, asked);
    request.reserve(addresses.hold(asked, holderOf(service), notAllocated(service, asked, 'provided IP is already allocated')));
  }

  async function allocatePorts(request: AdmissionRequest, service: Service, old: Service | undefined): Promise<void> {
    const held = old === undefined ? new Set<string>() : portsOf(old.spec);
    const wanted = needsPorts(service.spec);
    // A port that came with the former type goes with it; one that the user asks for here is refused by the validation of the kind.
    if (!wanted && service.spec.type !== 'LoadBalancer') {
      for (const port of service.spec.ports ?? []) if (held.has(String(port.nodePort))) delete port.nodePort;
    }
    for (const [index, port] of (service.spec.ports ?? []).entries()) {
      if (port.nodePort === undefined || port.nodePort === 0 || held.has(String(port.nodePort))) continue;
      if (!wanted && service.spec.type !== 'LoadBalancer') continue;
      if (port.nodePort < firstPort || port.nodePort > lastPort) {
        throw portRefused(
          service,
          index,
          port,
          `provided port is not in the valid range. The range of valid ports is ${firstPort}-${lastPort}`,
        );
      }
    }
    const avoid = new Set([...held, ...portsOf(service.spec)]);
    for (const [index, port] of (service.spec.ports ?? []).entries()) {
      if (port.nodePort !== undefined && port.nodePort !== 0) {
        const value = String(port.nodePort);
        if (held.has(value) || (service.spec.ports ?? []).findIndex((other) => other.nodePort === port.nodePort) < index) continue;
        request.reserve(ports.hold(value, holderOf(service), portRefused(service, index, port, 'provided port is already allocated')));
      } else if (wanted) {
        const value = await ports.choose(request.attempt, avoid);
        avoid.add(value);
        port.nodePort = Number(value);
        request.reserve(ports.hold(value, holderOf(service)));
      }
    }
    const kept = portsOf(service.spec);
    for (const port of held) if (!kept.has(port)) request.reserve(ports.release(port));
  }
}

function needsAddress(spec: ServiceSpec): boolean {
  return spec.type !== 'ExternalName' && spec.clusterIP !== 'None' && spec.clusterIPs?.[0] !== 'None';
}

function needsPorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

/** The addresses that a Service holds: none if it is headless. */
function addressesOf(spec: ServiceSpec): string[] {
  return spec.clusterIP === undefined || spec.clusterIP === '' || spec.clusterIP === 'None' ? [] : [spec.clusterIP];
}

function portsOf(spec: ServiceSpec): Set<string> {
  return new Set((spec.ports ?? []).flatMap((port) => (port.nodePort === undefined || port.nodePort === 0 ? [] : [String(port.nodePort)])));
}

function publish(spec: ServiceSpec, address: string): void {
  spec.clusterIP = address;
  spec.clusterIPs = [address, ...(spec.clusterIPs ?? []).slice(1)];
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}

function dropAddresses(spec: ServiceSpec): void {
  delete spec.clusterIP;
  delete spec.clusterIPs;
  delete spec.ipFamilies;
  delete spec.ipFamilyPolicy;
}

function holderOf(service: Service): { namespace: string | undefined; name: string | undefined } {
  return { namespace: service.metadata.namespace, name: service.metadata.name };
}

function notAllocated(service: Service, address: string, why: string): StatusError {
  return invalidField(service, (errors) => errors.invalid('spec.clusterIPs', [address], `failed to allocate IP ${address}: ${why}`));
}

function portRefused(service: Service, index: number, port: ServicePort, why: string): StatusError {
  return invalidField(service, (errors) => errors.invalid(`spec.ports[${index}].nodePort`, port.nodePort, why));
}

function invalidField(service: Service, add: (errors: FieldErrors) => void): StatusError {
  const errors = new FieldErrors();
  add(errors);
  return invalidError(services, service.metadata.name ?? '', errors.list);
}
