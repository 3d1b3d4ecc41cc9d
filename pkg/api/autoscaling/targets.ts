/** What an autoscaler aims at and where it stands, as `kubectl get` shows it: `cpu: 35%/80%`. */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../shapes/types/autoscaling-v2.ts';

const shown = 2;
const unknown = '<unknown>';

export function targetsOf({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const text = metrics.map((metric, index) => targetOf(metric, status?.currentMetrics?.[index]));
  const first = text.slice(0, shown).join(', ');
  return text.length > shown ? `${first} + ${text.length - shown} more...` : first;
}

function targetOf(metric: MetricSpec, status: MetricStatus | undefined): string {
  switch (metric.type) {
    case 'External':
      return amount(metric.external?.target, status?.external?.current);
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? unknown}/${metric.pods?.target.averageValue ?? ''}`;
    case 'Object':
      return amount(metric.object?.target, status?.object?.current);
    case 'Resource':
      return `${metric.resource?.name ?? ''}: ${share(metric.resource?.target, status?.resource?.current)}`;
    case 'ContainerResource':
      return `${metric.containerResource?.name ?? ''}: ${share(metric.containerResource?.target, status?.containerResource?.current)}`;
    default:
      return '<unknown type>';
  }
}

function amount(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`;
  return `${current?.value ?? unknown}/${target?.value ?? ''}`;
}

function share(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue}`;
  const wanted = target?.averageUtilization === undefined ? '<auto>' : `${target.averageUtilization}%`;
  return `${current?.averageUtilization === undefined ? unknown : `${current.averageUtilization}%`}/${wanted}`;
}
