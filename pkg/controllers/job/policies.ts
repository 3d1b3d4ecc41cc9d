/** What the failure of one pod, or the success of some indexes, means for a whole Job: pure. */
import { countIndexes, hasIndex, parseIndexes } from '#api/job-spec/indexes';
import type { Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from '#api/shapes/types/batch-v1';
import type { Pod } from '#api/shapes/types/core-v1';

/** On pods of Jobs with a limit for each index: how often the index had failed before. */
export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';

export interface Verdict {
  readonly action: 'Count' | 'Ignore' | 'FailIndex' | 'FailJob';
  /** Why the Job fails. */
  readonly message?: string;
}

export function failureCountOf(pod: Pod): number {
  const count = Number(pod.metadata.annotations?.[failureCountAnnotation] ?? 0);
  return Number.isInteger(count) && count > 0 ? count : 0;
}

/** The first rule that the failed pod meets decides; without one it counts. */
export function judgeFailure({ spec }: Job, pod: Pod): Verdict {
  for (const [index, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const why = meets(rule, pod);
    if (why === undefined) continue;
    const { action } = rule;
    if (action === 'FailJob') return { action, message: `${why} matching ${action} rule at index ${index}` };
    if (action === 'Ignore' || action === 'FailIndex' || action === 'Count') return { action };
  }
  return { action: 'Count' };
}

/** What of the pod meets the rule, in words; undefined: nothing. */
function meets({ onExitCodes, onPodConditions = [] }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const { namespace, name } = pod.metadata;
  if (onExitCodes !== undefined) return exitOf(onExitCodes, pod);
  for (const { type, status = 'True' } of onPodConditions) {
    if (pod.status?.conditions?.some((condition) => condition.type === type && condition.status === status) === true) {
      return `Pod ${namespace}/${name} has condition ${type}`;
    }
  }
  return undefined;
}

function exitOf({ operator, values, containerName }: PodFailurePolicyOnExitCodesRequirement, pod: Pod): string | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  for (const { name, state } of [...containerStatuses, ...initContainerStatuses]) {
    const code = state?.terminated?.exitCode;
    // Success is no failure, whatever the rule says.
    if (code === undefined || code === 0 || (containerName !== undefined && containerName !== name)) continue;
    if (values.includes(code) === (operator === 'In')) {
      return `Container ${name} for pod ${pod.metadata.namespace}/${pod.metadata.name} failed with exit code ${code}`;
    }
  }
  return undefined;
}

/** Whether this failure is the last that its index may have. */
export function failsIndex({ spec }: Job, pod: Pod, { action }: Verdict): boolean {
  if (spec.backoffLimitPerIndex === undefined) return false;
  return action === 'FailIndex' || failureCountOf(pod) >= spec.backoffLimitPerIndex;
}

/** Which rule says that so many indexes are success enough; undefined: none. */
export function successRuleMet({ spec }: Job, completed: ReadonlySet<number>): number | undefined {
  const { completions = 0, successPolicy } = spec;
  const found = (successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeededCount !== undefined && completed.size >= succeededCount;
    const wanted = parseIndexes(succeededIndexes, completions);
    const there = [...completed].filter((index) => hasIndex(wanted, index)).length;
    return there >= (succeededCount ?? countIndexes(wanted));
  });
  return found < 0 ? undefined : found;
}
