/**
 * A byte stream over one `Tunnel` call, the same on both sides: a Duplex whose halves end separately and which is never read
 * faster than its consumer takes.
 */
import { Duplex } from 'node:stream';
import { type Status, StatusError } from '#base/errors';
import type { TunnelData } from './generated/agent.ts';

/** What both ends of a gRPC bidirectional call have in common (they are object-mode Duplexes). */
export interface TunnelCall {
  write(message: TunnelData, callback: (error?: Error | null) => void): boolean;
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: 'data', listener: (message: TunnelData) => void): unknown;
  on(event: 'end' | 'close' | 'cancelled', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** One message holds at most this much, so that streams share a connection fairly. */
const chunkSize = 64 * 1024;

/** `cancel` ends the call at once; it is called when the Duplex is destroyed before both halves have ended. */
export function tunnelStream(call: TunnelCall, cancel: () => void): Duplex {
  let received = false;
  let sent = false;
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => void call.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      writeChunks(call, chunk, 0, done);
    },
    final: (done) => {
      sent = true;
      call.write(message({ end: true }), (error) => {
        if (received) call.end();
        done(error ?? null);
      });
    },
    destroy: (error, done) => {
      if (!(received && sent)) cancel();
      done(error);
    },
  });
  const finish = (): void => {
    if (received) return;
    received = true;
    stream.push(null);
  };
  call.on('data', (data) => {
    if (data.failureCode > 0) {
      stream.destroy(failureOf(data));
      return;
    }
    if (data.data.length > 0 && !received && !stream.push(data.data)) call.pause();
    if (data.end) {
      finish();
      if (sent) call.end();
    }
  });
  call.on('end', finish);
  call.on('cancelled', () => stream.destroy());
  call.on('error', (error) => {
    // After both ends have said all, how the call itself closes is of no interest.
    if (received && sent) return;
    stream.destroy(error);
  });
  return stream;
}

/** What the agent says when it cannot open a target, or when what it opened broke. */
export function failureOf({ failureCode, failure }: TunnelData): StatusError {
  try {
    return StatusError.fromStatus(JSON.parse(Buffer.from(failure).toString('utf8')) as Partial<Status>);
  } catch {
    return new StatusError('InternalError', `the node failed with code ${failureCode}`);
  }
}

export function message(part: Partial<TunnelData>): TunnelData {
  return { data: Buffer.alloc(0), end: false, failureCode: 0, failure: Buffer.alloc(0), ...part };
}

function writeChunks(call: TunnelCall, bytes: Buffer, from: number, done: (error?: Error | null) => void): void {
  const to = Math.min(bytes.length, from + chunkSize);
  call.write(message({ data: bytes.subarray(from, to) }), (error) => {
    if (error || to >= bytes.length) done(error ?? null);
    else writeChunks(call, bytes, to, done);
  });
}
