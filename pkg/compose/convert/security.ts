import { ComposeError } from '../compose-error.ts';
import type { Section } from './section.ts';

/** Who the process is and what it may do. */
export const security: Section = {
  name: 'security',
  keys: ['user', 'group_add', 'cap_add', 'cap_drop', 'privileged', 'read_only', 'security_opt', 'pid', 'ipc', 'cgroup', 'sysctls'],
  apply({ service, path }, { pod, container }) {
    if (service.user !== undefined) {
      const group = service.user.split(':')[1];
      if (group !== undefined && !/^\d+$/.test(group)) {
        throw new ComposeError(`the group "${group}" must be a number: nodes do not know the names of groups in an image`, {
          path: `${path}.user`,
        });
      }
      container.berth = { ...container.berth, user: service.user };
    }
    const groups = (service.group_add ?? []).map((group, index) => {
      if (!/^\d+$/.test(group)) throw new ComposeError(`the group "${group}" must be a number`, { path: `${path}.group_add[${index}]` });
      return Number(group);
    });
    const sysctls = Object.entries(service.sysctls ?? {}).map(([name, value]) => ({ name, value }));
    if (groups.length + sysctls.length > 0) {
      pod.securityContext = { ...(groups.length > 0 ? { supplementalGroups: groups } : {}), ...(sysctls.length > 0 ? { sysctls } : {}) };
    }
    const context: NonNullable<typeof container.securityContext> = {};
    const add = capabilities(service.cap_add);
    const drop = capabilities(service.cap_drop);
    if (add.length + drop.length > 0) context.capabilities = { ...(add.length > 0 ? { add } : {}), ...(drop.length > 0 ? { drop } : {}) };
    if (service.privileged === true) context.privileged = true;
    if (service.read_only === true) context.readOnlyRootFilesystem = true;
    if ((service.security_opt ?? []).some((option) => /^no-new-privileges(?:[:=]true)?$/.test(option)))
      context.allowPrivilegeEscalation = false;
    if (Object.keys(context).length > 0) container.securityContext = context;
    if (service.pid === 'host') pod.hostPID = true;
    if (service.ipc === 'host') pod.hostIPC = true;
  },
};

function capabilities(names: readonly string[] | undefined): string[] {
  return (names ?? []).map((name) => name.toUpperCase().replace(/^CAP_/, ''));
}
