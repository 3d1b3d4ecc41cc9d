import { createServer } from 'node:net';

/** Test files that run at the same time have a part each. */
const worker = Number(process.env.JEST_WORKER_ID ?? 1);
/** Below the ports that the kernel gives to outgoing connections (they would take one between its choice and its use), and to node ports. */
const range = { first: 12_000 + ((worker - 1) % 4) * 4_400, count: 4_400 };
/** Each comes with the two after it: for ranges of ports, and for a server's web page, which has the second after its own. */
const width = 3;

const given = new Set<number>();

/** Ports that nobody listens on just now, on any address of this machine, nor on the two after each; none is given twice in one process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = range.first + width * Math.floor((Math.random() * range.count) / width);
    if (given.has(port)) continue;
    given.add(port);
    const free = await Promise.all(Array.from({ length: width }, (_, after) => isFree(port + after)));
    if (free.every(Boolean)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
