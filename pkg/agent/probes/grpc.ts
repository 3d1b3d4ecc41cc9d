import { type ProbeAction, portOf } from './probe-action.ts';

const serving = 1;

/** The standard health service (`grpc.health.v1.Health/Check`), answering SERVING. */
export const grpc: ProbeAction = {
  name: 'grpc',
  async run(probe, target, timeoutMilliseconds) {
    const port = probe.grpc === undefined ? undefined : portOf(probe.grpc.port, target.container);
    if (port === undefined) return { success: false, message: 'no grpc port given' };
    const { Client, credentials } = await import('@grpc/grpc-js');
    const client = new Client(`${target.address}:${port}`, credentials.createInsecure());
    const service = Buffer.from(probe.grpc?.service ?? '', 'utf8');
    const request = service.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, service.length]), service]);
    try {
      return await new Promise((resolve) => {
        client.makeUnaryRequest(
          '/grpc.health.v1.Health/Check',
          (message: Buffer) => message,
          (message: Buffer) => (message[0] === 0x08 ? (message[1] ?? 0) : 0),
          request,
          { deadline: Date.now() + timeoutMilliseconds },
          (error, status) => {
            if (error !== null) resolve({ success: false, message: error.details });
            else if (status === serving) resolve({ success: true, message: '' });
            else resolve({ success: false, message: `service unhealthy (responded with status ${status})` });
          },
        );
      });
    } finally {
      client.close();
    }
  },
};
