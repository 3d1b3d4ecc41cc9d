/** The ways to probe a container. A new one: a file beside this one, and a line below. */
import { exec } from './exec.ts';
import { grpc } from './grpc.ts';
import { httpGet } from './http-get.ts';
import type { ProbeAction } from './probe-action.ts';
import { tcpSocket } from './tcp-socket.ts';

export const probeActions: readonly ProbeAction[] = [exec, httpGet, tcpSocket, grpc];
