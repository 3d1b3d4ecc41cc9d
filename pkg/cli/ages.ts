/** Times as people read them. */
import { humanDuration } from '#api/human-duration';
import type { Clock } from '#base/clock';

/** The age of an RFC 3339 stamp, as kubectl spells it; `<unknown>` without one. */
export function formatAge(stamp: string | null | undefined, clock: Clock): string {
  if (stamp === undefined || stamp === null || stamp === '') return '<unknown>';
  return humanDuration(clock.now() - Date.parse(stamp));
}
