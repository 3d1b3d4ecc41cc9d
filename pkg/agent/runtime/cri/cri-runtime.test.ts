/** What cannot be had of a real containerd on demand: another runtime's events, a connection that breaks, errors in all their forms. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { RuntimeEvent } from '../runtime.ts';
import { toRuntimeError } from './channel.ts';
import { fromContainerStatus, instanceLabel, managedLabel, networkNamespaceOf } from './convert.ts';
import { CriRuntime } from './cri-runtime.ts';
import * as cri from './generated/runtime.ts';
import { DownloadTotals } from './pull-progress.ts';

let folder: string;
let server: Server | undefined;
let runtime: CriRuntime | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-cri-'));
});

afterEach(() => {
  runtime?.close();
  server?.forceShutdown();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const labels = { [managedLabel]: 'true', [instanceLabel]: 'node-1', 'io.kubernetes.pod.uid': 'u' };

/** A runtime that is not containerd: it knows one container of ours and one of a stranger, and reports what a test writes to its streams. */
async function startOther(path: string, streams: ServerWritableStream<cri.Empty, cri.ContainerEventResponse>[]): Promise<Server> {
  const other = new Server();
  const statusOf = (id: string): cri.ContainerStatus =>
    cri.ContainerStatus.fromPartial({ id, state: cri.ContainerState.CONTAINER_EXITED, exitCode: 2, labels: id === 'ours' ? labels : {} });
  other.addService(cri.RuntimeServiceService, {
    version: (_call: unknown, callback: (error: null, reply: cri.VersionResponse) => void) =>
      callback(null, { version: 'v1', runtimeName: 'other', runtimeVersion: '1.2', runtimeApiVersion: 'v1' }),
    getContainerEvents: (call: ServerWritableStream<cri.Empty, cri.ContainerEventResponse>) => streams.push(call),
    containerStatus: (
      call: { request: cri.ContainerStatusRequest },
      callback: (error: unknown, reply?: cri.ContainerStatusResponse) => void,
    ) => callback(null, { status: statusOf(call.request.containerId), info: {} }),
    podSandboxStatus: (_call: unknown, callback: (error: unknown) => void) => callback({ code: status.NOT_FOUND, details: 'not found' }),
    listContainers: (call: { request: cri.ListContainersRequest }, callback: (error: null, reply: cri.ListContainersResponse) => void) =>
      callback(null, { containers: [cri.Container.fromPartial({ id: call.request.filter?.id ?? '', podSandboxId: 'sandbox', labels })] }),
  } as never);
  await new Promise<void>((resolve, reject) => {
    other.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
  });
  return other;
}

const exit = (containerId: string): cri.ContainerEventResponse =>
  cri.ContainerEventResponse.fromPartial({ containerId, containerEventType: cri.ContainerEventType.CONTAINER_STOPPED_EVENT });

describe('events of a runtime that is not containerd', () => {
  test("come by CRI's own stream, of our containers alone, and go on after the connection broke", async () => {
    const path = join(folder, 'other.sock');
    const streams: ServerWritableStream<cri.Empty, cri.ContainerEventResponse>[] = [];
    server = await startOther(path, streams);
    runtime = new CriRuntime({ endpoint: `unix://${path}`, instance: 'node-1' });
    const stop = new AbortController();
    const events = runtime.events(stop.signal)[Symbol.asyncIterator]();
    const next = async (): Promise<RuntimeEvent | undefined> => (await events.next()).value as RuntimeEvent | undefined;
    expect(await next()).toEqual({ type: 'Resynchronize' });
    streams[0]?.write(exit('theirs'));
    streams[0]?.write(exit('ours'));
    expect(await next()).toEqual({ type: 'ContainerExited', id: 'ours' });
    server.forceShutdown();
    rmSync(path, { force: true });
    server = await startOther(path, streams);
    expect(await next()).toEqual({ type: 'Resynchronize' });
    streams.at(-1)?.write(exit('ours'));
    expect(await next()).toEqual({ type: 'ContainerExited', id: 'ours' });
    stop.abort();
    expect((await events.next()).done).toBe(true);
  });

  test('a runtime that is not there is Unavailable', async () => {
    runtime = new CriRuntime({ endpoint: `unix://${join(folder, 'none.sock')}`, instance: 'node-1' });
    await expect(runtime.info()).rejects.toMatchObject({ name: 'RuntimeError', code: 'Unavailable' });
    const stop = new AbortController();
    stop.abort();
    await expect(runtime.info(stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('errors', () => {
  const grpc = (code: number, details: string) => toRuntimeError(Object.assign(new Error(`${code} X: ${details}`), { code, details }));

  test.each([
    [5, 'whatever', 'NotFound'],
    [6, 'whatever', 'AlreadyExists'],
    [4, 'whatever', 'DeadlineExceeded'],
    [12, 'whatever', 'Unsupported'],
    [2, 'failed to reserve sandbox name "a": name "a" is reserved for "b"', 'AlreadyExists'],
    [
      2,
      'failed to resolve reference "r/x:1": pull access denied, repository does not exist or may require authorization',
      'Unauthenticated',
    ],
    [2, 'unexpected status from HEAD request to https://r/v2/x: 401 Unauthorized', 'Unauthenticated'],
    [2, 'failed to do request: Head "https://r/v2/x": dial tcp: lookup r: no such host', 'Unavailable'],
    [2, 'failed to do request: Head "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused', 'Unavailable'],
    [
      2,
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "/x": stat /x: no such file or directory',
      'NotFound',
    ],
    [2, 'server is not initialized yet', 'Unavailable'],
    [2, 'failed to exec in container: ttrpc: closed', 'Unavailable'],
    [2, 'exec: "x": executable file not found in $PATH: unknown', 'NotFound'],
    [2, 'something else', 'Unknown'],
    [13, 'internal', 'Unknown'],
  ])('%d "%s" is %s', (code, details, expected) => {
    expect(grpc(code, details)).toMatchObject({ name: 'RuntimeError', code: expected });
  });

  test('of something that is no gRPC error keep their message', () => {
    expect(toRuntimeError(new Error('plain'))).toMatchObject({ code: 'Unknown', message: 'plain' });
    expect(toRuntimeError('text').message).toBe('text');
  });
});

describe('what CRI says', () => {
  test('an end is never before its start', () => {
    const short = cri.ContainerStatus.fromPartial({
      state: cri.ContainerState.CONTAINER_EXITED,
      startedAt: 5_000_000n,
      finishedAt: 4_000_000n,
    });
    expect(fromContainerStatus(short, 's')).toMatchObject({ startedAt: 5, finishedAt: 5, exitCode: 0 });
    const running = cri.ContainerStatus.fromPartial({ state: cri.ContainerState.CONTAINER_RUNNING, startedAt: 5_000_000n });
    expect(fromContainerStatus(running, 's')).toMatchObject({ finishedAt: undefined, exitCode: undefined });
  });

  test('the network namespace is found in the verbose part, where there is one', () => {
    const info = (namespaces: object[]): Record<string, string> => ({ info: JSON.stringify({ runtimeSpec: { linux: { namespaces } } }) });
    expect(networkNamespaceOf(info([{ type: 'pid' }, { type: 'network', path: '/run/netns/x' }]))).toBe('/run/netns/x');
    expect(networkNamespaceOf(info([{ type: 'pid' }]))).toBeUndefined();
    for (const other of [{}, { info: 'no JSON' }, { info: '{}' }])
      expect(networkNamespaceOf(other as Record<string, string>)).toBeUndefined();
  });

  test('what is downloaded completely still counts', () => {
    const totals = new DownloadTotals();
    expect(totals.update([{ reference: 'a', offset: 5, total: 10 }])).toEqual({ doneBytes: 5, totalBytes: 10 });
    expect(totals.update([{ reference: 'b', offset: 1, total: 20 }])).toEqual({ doneBytes: 11, totalBytes: 30 });
    expect(totals.update([])).toEqual({ doneBytes: 30, totalBytes: 30 });
  });
});
