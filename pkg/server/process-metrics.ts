import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import { messageOf } from '#base/errors';
import type { Logger } from '#base/logging';

/** The process' own figures, under the names that every exporter gives them, and the longest stall of its event loop. Ends its measuring with `stop`. */
export function registerProcessMetrics(registry: Registry, log: Logger): { stop(): void } {
  const registers = [registry];
  let spent = 0;
  const cpu: Counter = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    registers,
    collect: () => {
      const { user, system } = process.cpuUsage();
      const now = (user + system) / 1e6;
      cpu.inc(now - spent);
      spent = now;
    },
  });
  gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss());
  gauge('process_heap_bytes', 'Size of the JavaScript heap in use, in bytes.', () => process.memoryUsage().heapUsed);
  gauge(
    'process_start_time_seconds',
    'Start time of the process since unix epoch in seconds.',
    () => (Date.now() - performance.now()) / 1000,
  );
  gauge('process_open_fds', 'Number of open file descriptors.', () => {
    try {
      return readdirSync('/proc/self/fd').length;
    } catch (error) {
      log.debug('the open files cannot be counted', { error: messageOf(error) });
      return Number.NaN;
    }
  });
  const resolution = 10;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  gauge('berth_event_loop_stall_seconds', 'The longest stall of the event loop since the last scrape.', () => {
    // A sample is the time between two ticks, which are `resolution` milliseconds apart when nothing stalls.
    const longest = Math.max(0, delay.max / 1e9 - resolution / 1000);
    delay.reset();
    return longest;
  });
  return { stop: () => delay.disable() };

  function gauge(name: string, help: string, read: () => number): void {
    const made: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: () => made.set(read()),
    });
  }
}
