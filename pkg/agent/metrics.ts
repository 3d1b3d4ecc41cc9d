/** The agent's figures, under the kubelet's names where it has them. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface AgentMetrics {
  readonly registry: Registry;
  readonly runningPods: Gauge;
  readonly runningContainers: Gauge<'container_state'>;
  readonly startedPods: Counter;
  readonly startedPodErrors: Counter;
  readonly startedContainers: Counter;
  readonly startedContainerErrors: Counter<'code'>;
  /** From the pod's being taken on to all its containers' having started, pulls included. */
  readonly podStartSeconds: Histogram;
  readonly imagePullSeconds: Histogram;
  readonly probes: Counter<'probe_type' | 'result'>;
  readonly assignedRevision: Gauge;
  readonly connected: Gauge;
  readonly refusedAssignments: Counter;
  readonly steps: Counter<'step' | 'result'>;
}

export function createAgentMetrics(): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  const seconds = [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
  return {
    registry,
    runningPods: new Gauge({ name: 'kubelet_running_pods', help: 'Number of pods that have a running sandbox', registers }),
    runningContainers: new Gauge({
      name: 'kubelet_running_containers',
      help: 'Number of containers by state',
      labelNames: ['container_state'],
      registers,
    }),
    startedPods: new Counter({ name: 'kubelet_started_pods_total', help: 'Sandboxes started', registers }),
    startedPodErrors: new Counter({ name: 'kubelet_started_pods_errors_total', help: 'Sandboxes that failed to start', registers }),
    startedContainers: new Counter({ name: 'kubelet_started_containers_total', help: 'Containers started', registers }),
    startedContainerErrors: new Counter({
      name: 'kubelet_started_containers_errors_total',
      help: 'Containers that failed to start, by reason',
      labelNames: ['code'],
      registers,
    }),
    podStartSeconds: new Histogram({
      name: 'kubelet_pod_start_duration_seconds',
      help: 'From a pod being taken on to all of its containers having started',
      buckets: seconds,
      registers,
    }),
    imagePullSeconds: new Histogram({
      name: 'kubelet_image_pull_duration_seconds',
      help: 'Duration of image pulls',
      buckets: seconds,
      registers,
    }),
    probes: new Counter({
      name: 'prober_probe_total',
      help: 'Probes of containers by type and result',
      labelNames: ['probe_type', 'result'],
      registers,
    }),
    assignedRevision: new Gauge({
      name: 'berth_agent_assignments_revision',
      help: 'Store revision of the assignments that the agent acts on',
      registers,
    }),
    connected: new Gauge({ name: 'berth_agent_connected', help: 'Whether the agent has a session with a server', registers }),
    refusedAssignments: new Counter({
      name: 'berth_agent_assignments_refused_total',
      help: 'Assignments refused as older than what is acted on, or of another store',
      registers,
    }),
    steps: new Counter({
      name: 'berth_agent_steps_total',
      help: 'Planned steps carried out, by kind and result',
      labelNames: ['step', 'result'],
      registers,
    }),
  };
}
