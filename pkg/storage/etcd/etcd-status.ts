/** What an etcd member says of itself: its version, how large it is, and its alarms. */
import { credentials } from '@grpc/grpc-js';
import type { EtcdConnection } from './etcd-connection.ts';
import { toEtcdError } from './etcd-error.ts';
import { MaintenanceClient, type StatusResponse } from './generated/etcd.ts';

/** The oldest that this was tried with; earlier ones lack what watches need. */
const oldest = [3, 4] as const;
const within = 2_000;

/** Of the member that is asked now. Throws `EtcdError` when it does not answer within 2 s. */
export async function readStatus(connection: EtcdConnection): Promise<StatusResponse> {
  const { member } = connection;
  const client = new MaintenanceClient(member.url, credentials.createInsecure(), { channelOverride: member.kv.getChannel() });
  const metadata = await connection.metadata(member);
  return await new Promise((resolve, reject) => {
    client.status({}, metadata, { deadline: Date.now() + within }, (error, response) => {
      if (error === null) resolve(response);
      else reject(toEtcdError(error, member.url));
    });
  });
}

/** Throws an error that says so for a version that is too old. */
export function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw new Error(`etcd ${version} is too old: ${oldest.join('.')} or later is needed`);
  }
}
