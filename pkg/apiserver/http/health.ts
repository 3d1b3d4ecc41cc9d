/** `/healthz`, `/livez` and `/readyz`, as plain text in Kubernetes' form: one line a check with `?verbose`, and always when one fails. */
import { messageOf } from '#base/errors';

/** Resolves when all is well; throws an error that says what is not. */
export interface HealthCheck {
  readonly name: string;
  check(): Promise<void> | void;
}

export interface HealthReport {
  readonly code: 200 | 404 | 500;
  readonly text: string;
}

/** `endpoint` is `readyz`, …; `only` is one check's name (`/readyz/NAME`). Failed checks do not say why to those who may be anyone. */
export async function checkHealth(
  endpoint: string,
  checks: readonly HealthCheck[],
  options: { readonly only?: string; readonly verbose: boolean; readonly exclude: readonly string[] },
  onFailure: (check: string, message: string) => void,
): Promise<HealthReport> {
  const chosen = options.only === undefined ? checks : checks.filter((check) => check.name === options.only);
  if (options.only !== undefined && chosen.length === 0) return { code: 404, text: `no check is called ${options.only}\n` };
  const lines = await Promise.all(
    chosen.map(async (check) => {
      if (options.exclude.includes(check.name)) return { ok: true, line: `[+]${check.name} excluded: ok` };
      try {
        await check.check();
        return { ok: true, line: `[+]${check.name} ok` };
      } catch (error) {
        onFailure(check.name, messageOf(error));
        return { ok: false, line: `[-]${check.name} failed: reason withheld` };
      }
    }),
  );
  const ok = lines.every((line) => line.ok);
  if (ok && !options.verbose) return { code: 200, text: 'ok' };
  return {
    code: ok ? 200 : 500,
    text: `${lines.map((line) => line.line).join('\n')}\n${endpoint} check ${ok ? 'passed' : 'failed'}\n`,
  };
}
