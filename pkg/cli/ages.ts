/** Times as people read them. */
import type { Clock } from '#base/clock';

/** `45s`, `3m20s`, `5h`, `3d`: the steps of kubectl's HumanDuration. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 730) return `${days}d`;
  return `${Math.floor(days / 365)}y`;
}

/** The age of an RFC 3339 stamp; `<unknown>` without one. */
export function formatAge(stamp: string | null | undefined, clock: Clock): string {
  if (stamp === undefined || stamp === null || stamp === '') return '<unknown>';
  return formatDuration(clock.now() - Date.parse(stamp));
}
