import { ComposeError } from '../compose-error.ts';
import type { Section } from './section.ts';

/** What happens when a container ends; `deploy.restart_policy` wins over `restart`. A lost node is none of its business: what it ran is replaced. */
export const restart: Section = {
  name: 'restart',
  keys: ['restart', 'deploy.restart_policy'],
  apply({ service, path }, { pod }) {
    const policy = service.deploy?.restart_policy;
    if (policy !== undefined) {
      const { condition = 'any', max_attempts: attempts } = policy;
      const restartPolicy = { none: 'Never', 'on-failure': 'OnFailure', any: 'Always' }[condition];
      if (restartPolicy === undefined) {
        throw new ComposeError(`unknown condition ${JSON.stringify(condition)}`, {
          path: `${path}.deploy.restart_policy.condition`,
          next: 'use none, on-failure or any',
        });
      }
      pod.restartPolicy = restartPolicy;
      if (attempts !== undefined && restartPolicy !== 'Never') pod.berth = { ...pod.berth, maxRestarts: attempts };
      return;
    }
    const match = /^(no|always|unless-stopped|on-failure)(?::(\d+))?$/.exec(service.restart ?? 'no');
    if (match === null || (match[2] !== undefined && match[1] !== 'on-failure')) {
      throw new ComposeError(`unknown restart policy ${JSON.stringify(service.restart)}`, {
        path: `${path}.restart`,
        next: 'use no, always, unless-stopped or on-failure[:n]',
      });
    }
    pod.restartPolicy = match[1] === 'no' ? 'Never' : match[1] === 'on-failure' ? 'OnFailure' : 'Always';
    if (match[2] !== undefined && Number(match[2]) > 0) pod.berth = { ...pod.berth, maxRestarts: Number(match[2]) };
  },
};
