/** `postStart` and `preStop`: what runs beside a container's start and before its end. */
import type { LifecycleHandler } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import { get } from './probes/http-get.ts';
import { httpTargetOf, type ProbeTarget } from './probes/probe-action.ts';

/** Throws an Error with the reason when the handler fails or `timeoutMilliseconds` pass. */
export async function runHandler(
  handler: LifecycleHandler,
  target: ProbeTarget,
  timeoutMilliseconds: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const { exitCode, stderr } = await target.runtime.execSync(target.containerId, command, timeoutMilliseconds);
    if (exitCode !== 0)
      throw new Error(`command ${JSON.stringify(command)} exited with ${exitCode}: ${Buffer.from(stderr).toString('utf8').slice(0, 1024)}`);
  } else if (handler.httpGet !== undefined) {
    const where = httpTargetOf(handler.httpGet, target);
    if (where === undefined) throw new Error(`couldn't find port: ${JSON.stringify(handler.httpGet.port)}`);
    const result = await get(where, timeoutMilliseconds);
    if (!result.success) throw new Error(result.message);
  } else if (handler.sleep !== undefined) {
    await clock.sleep(Math.min(handler.sleep.seconds * 1000, timeoutMilliseconds), signal);
  }
}
