import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { type HttpTarget, httpTargetOf, type ProbeAction, type ProbeResult } from './probe-action.ts';

/** A GET that answers 200 to 399. */
export const httpGet: ProbeAction = {
  name: 'httpGet',
  async run(probe, target, timeoutMilliseconds) {
    if (probe.httpGet === undefined) return { success: false, message: 'no httpGet given' };
    const where = httpTargetOf(probe.httpGet, target);
    if (where === undefined) return { success: false, message: `couldn't find port: ${JSON.stringify(probe.httpGet.port)}` };
    return get(where, timeoutMilliseconds);
  },
};

/** Never rejects. The certificate of the other side is not checked, as Kubernetes has it. */
export function get(target: HttpTarget, timeoutMilliseconds: number): Promise<ProbeResult> {
  const url = `${target.tls ? 'https' : 'http'}://${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}${target.path}`;
  return new Promise((resolve) => {
    const options = {
      host: target.host,
      port: target.port,
      path: target.path,
      headers: target.headers,
      agent: false as const,
      signal: AbortSignal.timeout(timeoutMilliseconds),
    };
    const send = target.tls ? requestTls({ ...options, rejectUnauthorized: false }) : requestPlain(options);
    send.on('response', (response) => {
      const code = response.statusCode ?? 0;
      response.destroy();
      if (code >= 200 && code < 400) resolve({ success: true, message: '' });
      else resolve({ success: false, message: `HTTP probe failed with statuscode: ${code}` });
    });
    send.on('error', (error) => {
      const why =
        error.name === 'TimeoutError' || error.name === 'AbortError'
          ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
          : error.message;
      resolve({ success: false, message: `Get "${url}": ${why}` });
    });
    send.end();
  });
}
