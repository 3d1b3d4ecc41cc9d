import { createServer } from 'node:net';

/** Below those that the kernel gives to outgoing connections (they would take one between its choice and its use), and to node ports. */
const range = { first: 12_000, count: 16_000 };

const given = new Set<number>();

/** Ports that nobody listens on just now, on any address of this machine, nor on the one after each; none is given twice in one process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = range.first + Math.floor(Math.random() * range.count);
    if (given.has(port) || given.has(port + 1) || !(await isFree(port)) || !(await isFree(port + 1))) continue;
    given.add(port).add(port + 1);
    ports.push(port);
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
