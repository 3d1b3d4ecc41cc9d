/** Which services take part: those without a profile, with an enabled one, and, where services are selected, only these and what they depend on. */
import { ComposeError } from '../compose-error.ts';
import type { ComposeProject, Service } from '../model.ts';

export interface Selection {
  readonly project: ComposeProject;
  readonly disabled: Readonly<Record<string, Service>>;
}

/** `*` enables every profile. Throws ComposeError for a selected service that is not there. */
export function selectServices(project: ComposeProject, profiles: readonly string[], selected: readonly string[] = []): Selection {
  const byProfile = (service: Service): boolean => {
    const own = service.profiles ?? [];
    return own.length === 0 || profiles.includes('*') || own.some((profile) => profiles.includes(profile));
  };
  const enabled = new Set(Object.keys(project.services).filter((name) => byProfile(project.services[name] as Service)));
  const wanted = selected.length === 0 ? enabled : withDependencies(project, selected, enabled);
  const services: Record<string, Service> = {};
  const disabled: Record<string, Service> = {};
  for (const [name, service] of Object.entries(project.services)) (wanted.has(name) ? services : disabled)[name] = service;
  return { project: { ...project, services }, disabled };
}

function withDependencies(project: ComposeProject, selected: readonly string[], enabled: ReadonlySet<string>): Set<string> {
  const wanted = new Set<string>();
  const open = [...selected];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (wanted.has(name)) continue;
    const service = project.services[name];
    if (service === undefined || !enabled.has(name)) {
      if (!selected.includes(name)) continue;
      throw new ComposeError(`no such service: ${name}`, { next: `services are ${Object.keys(project.services).join(', ')}` });
    }
    wanted.add(name);
    open.push(...Object.keys(service.depends_on ?? {}));
  }
  return wanted;
}
