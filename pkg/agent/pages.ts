/** The agent's own pages, reached through the server: metrics, and figures of its containers under cAdvisor's names. */
import { cpus, freemem, totalmem } from 'node:os';
import type { NodeContext } from './node-context.ts';

/** Gives the text of a page; undefined for one that there is not. */
export function pagesOf(node: NodeContext): (path: string) => Promise<string | undefined> {
  return async (path) => {
    switch (path) {
      case '/metrics':
        countRunning(node);
        return node.metrics.registry.metrics();
      case '/metrics/cadvisor':
      case '/metrics/resource':
        return containerFigures(node, path === '/metrics/resource');
      case '/healthz':
        return 'ok';
      default:
        return undefined;
    }
  };
}

function countRunning({ view, metrics }: NodeContext): void {
  let pods = 0;
  const states = { running: 0, exited: 0, created: 0, unknown: 0 };
  for (const uid of view.pods()) {
    const { sandboxes, containers } = view.pod(uid);
    if (sandboxes.some(({ state }) => state === 'Ready')) pods++;
    for (const { state } of containers) states[state.toLowerCase() as keyof typeof states]++;
  }
  metrics.runningPods.set(pods);
  for (const [state, count] of Object.entries(states)) metrics.runningContainers.set({ container_state: state }, count);
}

interface Figure {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly value: (stats: Awaited<ReturnType<NodeContext['runtime']['stats']>>[number]) => number;
}

const figures: readonly (Figure & { readonly resource: boolean })[] = [
  {
    name: 'container_cpu_usage_seconds_total',
    help: 'CPU time used by the container',
    type: 'counter',
    resource: true,
    value: ({ cpuUsageNanoseconds }) => Number(cpuUsageNanoseconds) / 1e9,
  },
  {
    name: 'container_memory_working_set_bytes',
    help: 'Memory of the container that cannot be reclaimed at once',
    type: 'gauge',
    resource: true,
    value: ({ memoryWorkingSetBytes }) => memoryWorkingSetBytes,
  },
  {
    name: 'container_memory_usage_bytes',
    help: 'Memory of the container, caches included',
    type: 'gauge',
    resource: false,
    value: ({ memoryUsageBytes }) => memoryUsageBytes,
  },
  {
    name: 'container_fs_usage_bytes',
    help: "Bytes of the container's writable layer",
    type: 'gauge',
    resource: false,
    value: ({ diskUsedBytes }) => diskUsedBytes,
  },
];

async function containerFigures(node: NodeContext, onlyResources: boolean): Promise<string> {
  const all = await node.runtime.stats();
  const lines: string[] = [];
  for (const { name, help, type, value } of figures.filter(({ resource }) => resource || !onlyResources)) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const stats of all) {
      const labels = `container="${stats.name}",namespace="${stats.pod.namespace}",pod="${stats.pod.name}"`;
      lines.push(`${name}{${labels}} ${value(stats)} ${Math.floor(stats.timestamp)}`);
    }
  }
  if (onlyResources) lines.push(...nodeFigures());
  return `${lines.join('\n')}\n`;
}

/** The machine as a whole, under the kubelet's names. */
function nodeFigures(): readonly string[] {
  const busy = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return [
    '# HELP node_cpu_usage_seconds_total CPU time used by the node',
    '# TYPE node_cpu_usage_seconds_total counter',
    `node_cpu_usage_seconds_total ${busy / 1000}`,
    '# HELP node_memory_working_set_bytes Memory of the node that cannot be reclaimed at once',
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${totalmem() - freemem()}`,
  ];
}
