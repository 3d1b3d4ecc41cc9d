import { parseDuration } from '../load/units.ts';
import type { Section } from './section.ts';

/** Ten seconds from TERM to KILL, unless said otherwise: Docker's default, not Kubernetes'. */
export const stop: Section = {
  name: 'stop',
  keys: ['stop_grace_period'],
  apply({ service }, { pod }) {
    const grace = service.stop_grace_period === undefined ? 10e9 : parseDuration(service.stop_grace_period);
    pod.terminationGracePeriodSeconds = Math.max(0, Math.ceil(grace / 1e9));
  },
};
