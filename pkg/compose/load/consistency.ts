/** Checks across the whole project: names that refer to nothing, settings that contradict each other, dependencies in a circle. */
import { ComposeError } from '../compose-error.ts';
import type { ComposeProject, Service } from '../model.ts';
import { sharedWith } from './normalise.ts';

type Check = (name: string, service: Service, project: ComposeProject, disabled: Readonly<Record<string, Service>>) => void;

const checks: readonly Check[] = [checkSource, checkNetworks, checkHealth, checkDependencies, checkVolumes, checkFiles, checkAmounts];

/** Throws ComposeError for the first contradiction. */
export function checkConsistency(project: ComposeProject, disabled: Readonly<Record<string, Service>>): void {
  const containerNames = new Map<string, string>();
  for (const [name, service] of Object.entries(project.services)) {
    for (const check of checks) check(name, service, project, disabled);
    if (service.container_name === undefined) continue;
    const other = containerNames.get(service.container_name);
    if (other !== undefined) {
      throw new ComposeError(`services ${other} and ${name} have the same container_name "${service.container_name}"`, {
        path: `services.${name}.container_name`,
      });
    }
    containerNames.set(service.container_name, name);
  }
  checkCycles(project);
}

/** The number of replicas that the service asks for. */
export function replicasOf(service: Service): number {
  return service.scale ?? service.deploy?.replicas ?? 1;
}

function checkSource(name: string, service: Service): void {
  const build = service.build as { dockerfile?: string; dockerfile_inline?: string } | undefined;
  if (service.image === undefined && build === undefined && service.provider === undefined) {
    throw new ComposeError('it has neither an image nor a build', { path: `services.${name}`, next: 'add image: NAME' });
  }
  if (build?.dockerfile !== undefined && build.dockerfile_inline !== undefined) {
    throw new ComposeError('dockerfile and dockerfile_inline exclude each other', { path: `services.${name}.build` });
  }
}

function checkNetworks(name: string, service: Service, project: ComposeProject): void {
  if (service.network_mode !== undefined && service.networks !== undefined && Object.keys(service.networks).length > 0) {
    throw new ComposeError('network_mode and networks exclude each other', { path: `services.${name}.network_mode` });
  }
  for (const network of Object.keys(service.networks ?? {})) {
    if (project.networks === undefined || !Object.hasOwn(project.networks, network)) {
      throw new ComposeError(`undefined network "${network}"`, {
        path: `services.${name}.networks.${network}`,
        next: 'define it under networks',
      });
    }
  }
}

function checkHealth(name: string, service: Service): void {
  const test = service.healthcheck?.test;
  if (test !== undefined && test.length > 0 && !['CMD', 'CMD-SHELL', 'NONE'].includes(test[0] ?? '')) {
    throw new ComposeError('a list must begin with CMD, CMD-SHELL or NONE', { path: `services.${name}.healthcheck.test` });
  }
}

function checkDependencies(name: string, service: Service, project: ComposeProject, disabled: Readonly<Record<string, Service>>): void {
  const exists = (other: string): boolean => Object.hasOwn(project.services, other);
  for (const [other, dependency] of Object.entries(service.depends_on ?? {})) {
    if (exists(other) || !dependency.required) continue;
    const path = `services.${name}.depends_on.${other}`;
    if (Object.hasOwn(disabled, other)) {
      const profiles = disabled[other]?.profiles ?? [];
      throw new ComposeError(`service "${other}" is disabled`, {
        path,
        next: profiles.length > 0 ? `enable it with --profile ${profiles[0]}, or set required: false` : 'select it too',
      });
    }
    throw new ComposeError(`depends on undefined service "${other}"`, { path });
  }
  for (const key of ['network_mode', 'ipc', 'pid', 'uts', 'cgroup']) {
    const other = sharedWith(service[key] as string | undefined);
    if (other !== undefined && !exists(other)) throw new ComposeError(`undefined service "${other}"`, { path: `services.${name}.${key}` });
  }
}

function checkVolumes(name: string, service: Service, project: ComposeProject): void {
  service.volumes?.forEach((volume, index) => {
    if (volume.type !== 'volume' || volume.source === undefined || volume.source === '') return;
    if (project.volumes === undefined || !Object.hasOwn(project.volumes, volume.source)) {
      throw new ComposeError(`undefined volume "${volume.source}"`, {
        path: `services.${name}.volumes[${index}]`,
        next: `define it under volumes, or write ./${volume.source} for a folder`,
      });
    }
  });
}

function checkFiles(name: string, service: Service, project: ComposeProject): void {
  const uses = [
    ['configs', 'configs', service.configs, project.configs],
    ['secrets', 'secrets', service.secrets, project.secrets],
    ['secrets', 'build.secrets', (service.build as { secrets?: Service['secrets'] } | undefined)?.secrets, project.secrets],
  ] as const;
  for (const [kind, key, mounts, defined] of uses) {
    for (const [index, { source }] of (mounts ?? []).entries()) {
      if (defined === undefined || !Object.hasOwn(defined, source)) {
        throw new ComposeError(`undefined ${kind.slice(0, -1)} "${source}"`, {
          path: `services.${name}.${key}[${index}]`,
          next: `define it under ${kind}`,
        });
      }
    }
  }
}

function checkAmounts(name: string, service: Service): void {
  const limits = service.deploy?.resources?.limits;
  const reservations = service.deploy?.resources?.reservations;
  const pairs: [string, unknown, string, unknown][] = [];
  if (service.deploy?.replicas !== undefined) pairs.push(['scale', service.scale, 'deploy.replicas', service.deploy.replicas]);
  if (limits !== undefined) {
    pairs.push(
      ['cpus', service.cpus, 'deploy.resources.limits.cpus', limits.cpus],
      ['mem_limit', service.mem_limit, 'deploy.resources.limits.memory', limits.memory],
      ['pids_limit', service.pids_limit, 'deploy.resources.limits.pids', limits.pids],
    );
  }
  if (reservations !== undefined)
    pairs.push(['mem_reservation', service.mem_reservation, 'deploy.resources.reservations.memory', reservations.memory]);
  for (const [key, value, other, otherValue] of pairs) {
    if (value !== undefined && value !== otherValue) {
      throw new ComposeError(`${key} and ${other} differ`, { path: `services.${name}.${key}`, next: 'keep one of them' });
    }
  }
  if (service.container_name !== undefined && replicasOf(service) > 1) {
    throw new ComposeError('container_name names one container, and the service has several', {
      path: `services.${name}.container_name`,
      next: 'remove it, or scale to 1',
    });
  }
}

function checkCycles(project: ComposeProject): void {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    if (done.has(name)) return;
    if (trail.includes(name)) {
      throw new ComposeError(`services depend on each other in a circle: ${[...trail.slice(trail.indexOf(name)), name].join(' → ')}`, {
        path: `services.${trail.at(-1)}.depends_on`,
      });
    }
    for (const other of Object.keys(project.services[name]?.depends_on ?? {})) {
      if (Object.hasOwn(project.services, other)) visit(other, [...trail, name]);
    }
    done.add(name);
  };
  for (const name of Object.keys(project.services)) visit(name, []);
}
