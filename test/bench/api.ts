/** The API over TLS, from outside its process, on the embedded store: durable creates from 64 connections, and a long list. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connectionOf, loadKubeconfig } from '#client/kubeconfig';
import { repository } from '../harness/cluster.ts';
import { percentile, type Row } from './bench.ts';

export const name = 'api';

const connections = 64;
const pods = 10_000;

export async function run(): Promise<readonly Row[]> {
  const home = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  const child = spawn(process.execPath, [join(repository, 'dist/cmd/berth/main.js'), 'server', '--port', '0', '--agent-port', '0'], {
    env: { ...process.env, BERTH_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const connection = await connectionOf(await loadKubeconfig([join(home, 'kubeconfig')]));
    return [...(await measureCreates(connection)), ...(await measureList(connection))];
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
}

async function measureCreates(connection: ConnectionOptions): Promise<readonly Row[]> {
  const sessions = Array.from({ length: connections }, () => open(connection));
  const latencies: number[] = [];
  let next = 0;
  const start = performance.now();
  await Promise.all(
    sessions.map(async (session) => {
      while (next < pods) {
        const index = next++;
        const from = performance.now();
        const { code, body } = await send(session, 'POST', '/api/v1/namespaces/default/pods', JSON.stringify(podOf(index)));
        if (code !== 201) throw new Error(`a create was answered ${code}: ${body.toString()}`);
        latencies.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  for (const session of sessions) session.close();
  return [
    { name: `durable creates of pods, ${connections} connections`, value: pods / seconds, unit: '1/s', aim: 4000 },
    { name: 'the same, 99th percentile', value: percentile(latencies, 0.99), unit: 'ms' },
  ];
}

/** While the list is made and sent, another connection asks for something small again and again: its longest wait is the stall that others feel. */
async function measureList(connection: ConnectionOptions): Promise<readonly Row[]> {
  const [lister, prober] = [open(connection), open(connection)];
  const times: number[] = [];
  let stall = 0;
  for (let round = 0; round < 5; round++) {
    let listing = true;
    const probing = (async () => {
      while (listing) {
        const from = performance.now();
        await send(prober, 'GET', '/livez');
        stall = Math.max(stall, performance.now() - from);
      }
    })();
    const from = performance.now();
    const { body } = await send(lister, 'GET', '/api/v1/pods');
    times.push(performance.now() - from);
    listing = false;
    await probing;
    const count = (JSON.parse(body.toString()) as { items: unknown[] }).items.length;
    if (count < pods) throw new Error(`the list has ${count} pods`);
  }
  lister.close();
  prober.close();
  return [
    { name: `list of ${pods} pods, median`, value: percentile(times, 0.5), unit: 'ms', aim: 50 },
    { name: 'longest wait of another request meanwhile', value: stall, unit: 'ms', aim: 25 },
  ];
}

function podOf(index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${index}`, labels: { app: `app-${index % 50}` } },
    // Nobody's to place: what is measured is the API alone.
    spec: {
      schedulerName: 'nobody',
      containers: [
        {
          name: 'main',
          image: 'berth.local/none:1',
          env: [{ name: 'INDEX', value: String(index) }],
          resources: { requests: { cpu: '10m', memory: '16Mi' } },
        },
      ],
    },
  };
}

/** With windows as wide as those of Go's clients: Node's own would make a long list wait for them. */
function open(connection: ConnectionOptions): ClientHttp2Session {
  const session = connect(connection.server, {
    ca: connection.certificateAuthority,
    cert: connection.clientCertificate,
    key: connection.clientKey,
    settings: { initialWindowSize: 4 << 20 },
  });
  session.once('connect', () => session.setLocalWindowSize(1 << 30));
  return session;
}

function send(
  session: ClientHttp2Session,
  method: string,
  path: string,
  body?: string,
): Promise<{ readonly code: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path, 'content-type': 'application/json', accept: 'application/json' });
    let code = 0;
    const chunks: Buffer[] = [];
    stream.on('response', (headers) => {
      code = headers[':status'] ?? 0;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve({ code, body: Buffer.concat(chunks) }));
    stream.on('error', reject);
    stream.end(body);
  });
}
