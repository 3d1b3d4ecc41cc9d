import { ComposeError } from '../compose-error.ts';
import type { Section } from './section.ts';

/** Limits bound what a container may use; reservations are what the scheduler sets aside. A limit alone reserves nothing, as in Compose. */
export const resources: Section = {
  name: 'resources',
  keys: ['cpus', 'mem_limit', 'mem_reservation', 'deploy.resources'],
  apply({ service, path }, { container }) {
    const { limits: declared = {}, reservations = {} } = service.deploy?.resources ?? {};
    const limits = amounts(service.cpus ?? declared.cpus, service.mem_limit ?? declared.memory, path);
    const requests = amounts(reservations.cpus, service.mem_reservation ?? reservations.memory, path);
    for (const name of Object.keys(limits)) requests[name] ??= '0';
    if (Object.keys(limits).length + Object.keys(requests).length === 0) return;
    container.resources = { ...(Object.keys(limits).length > 0 ? { limits } : {}), requests };
  },
};

function amounts(cpus: number | undefined, memory: string | undefined, path: string): Record<string, string> {
  if (cpus !== undefined && !(cpus >= 0)) throw new ComposeError(`${cpus} is no number of CPUs`, { path: `${path}.cpus` });
  const bytes = memory === undefined ? 0 : Number(memory);
  if (!Number.isSafeInteger(bytes)) throw new ComposeError(`${memory} is no number of bytes`, { path: `${path}.mem_limit` });
  return {
    ...(cpus === undefined || cpus === 0 ? {} : { cpu: `${Math.ceil(cpus * 1000)}m` }),
    ...(bytes > 0 ? { memory: String(bytes) } : {}),
  };
}
