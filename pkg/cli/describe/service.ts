import { endpointSlices } from '#api/shapes/resources';
import type { Service } from '#api/shapes/types/core-v1';
import { defineDescriber } from './describer.ts';
import { type Line, renderMap } from './sections.ts';

export const serviceDescriber = defineDescriber<Service>(
  '',
  'Service',
  async ({ metadata, spec, status }, { client }): Promise<readonly Line[]> => {
    const slices = (
      await client.list(endpointSlices, {
        namespace: metadata.namespace ?? 'default',
        labelSelector: `kubernetes.io/service-name=${metadata.name ?? ''}`,
      })
    ).items;
    const endpointsOf = (portName: string | undefined): string =>
      slices
        .flatMap((slice) =>
          (slice.endpoints ?? [])
            .filter((endpoint) => endpoint.conditions?.ready !== false)
            .flatMap((endpoint) =>
              endpoint.addresses.flatMap((address) =>
                portName === undefined
                  ? [address]
                  : (slice.ports ?? []).filter((port) => (port.name ?? '') === portName).map((port) => `${address}:${port.port ?? ''}`),
              ),
            ),
        )
        .join(',') || '<none>';
    return [
      ['Selector', renderMap(spec?.selector)],
      ['Type', spec?.type],
      ['IP', spec?.clusterIP],
      ['LoadBalancer Ingress', status?.loadBalancer?.ingress?.map((ingress) => ingress.ip ?? ingress.hostname ?? '').join(', ')],
      ...(spec?.ports ?? []).flatMap((port): Line[] => [
        ['Port', `${port.name ?? '<unset>'} ${port.port}/${port.protocol ?? 'TCP'}`],
        ['TargetPort', `${port.targetPort ?? port.port}/${port.protocol ?? 'TCP'}`],
        ['NodePort', port.nodePort === undefined ? undefined : `${port.nodePort}/${port.protocol ?? 'TCP'}`],
        ['Endpoints', endpointsOf(port.name ?? '')],
      ]),
      ...((spec?.ports ?? []).length === 0 ? [['Endpoints', endpointsOf(undefined)] as Line] : []),
      ['Session Affinity', spec?.sessionAffinity],
    ];
  },
);
