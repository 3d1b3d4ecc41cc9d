import { connect } from 'node:net';
import { type ProbeAction, portOf } from './probe-action.ts';

/** A connection that opens. */
export const tcpSocket: ProbeAction = {
  name: 'tcpSocket',
  async run(probe, target, timeoutMilliseconds) {
    if (probe.tcpSocket === undefined) return { success: false, message: 'no tcpSocket given' };
    const port = portOf(probe.tcpSocket.port, target.container);
    if (port === undefined) return { success: false, message: `couldn't find port: ${JSON.stringify(probe.tcpSocket.port)}` };
    const host = probe.tcpSocket.host === undefined || probe.tcpSocket.host === '' ? target.address : probe.tcpSocket.host;
    return new Promise((resolve) => {
      const socket = connect({ host, port, timeout: timeoutMilliseconds });
      const end = (success: boolean, why: string): void => {
        socket.destroy();
        resolve({ success, message: success ? '' : `dial tcp ${host}:${port}: ${why}` });
      };
      socket.once('connect', () => end(true, ''));
      socket.once('timeout', () => end(false, 'i/o timeout'));
      socket.once('error', (error) => end(false, error.message));
    });
  },
};
