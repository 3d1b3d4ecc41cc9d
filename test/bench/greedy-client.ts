/** A process that lists everything in loops, for `overload.ts`: its own work must not hold up the one who measures. Ends when it is told to. */

import { systemClock } from '#base/clock';
import type { ConnectionOptions } from '#client/kubeconfig';
import { openSession, send } from './bench-server.ts';

export interface GreedyOrder {
  readonly connection: ConnectionOptions;
  readonly user: string;
  readonly path: string;
  readonly loops: number;
}

export interface GreedyReport {
  readonly whole: number;
  readonly refused: number;
}

const report = { whole: 0, refused: 0 };

async function loop({ connection, user, path }: GreedyOrder): Promise<never> {
  const session = openSession(connection);
  for (;;) {
    const { code } = await send(session, 'GET', path, { as: user, discard: true });
    if (code === 200) report.whole++;
    else if (code !== 429) throw new Error(`a list was answered ${code}`);
    else {
      report.refused++;
      // As the answer asks for.
      await systemClock.sleep(1000);
    }
  }
}

process.on('message', (message: GreedyOrder | 'end') => {
  if (message === 'end') process.send?.(report, () => process.exit(0));
  else for (let count = 0; count < message.loops; count++) void loop(message);
});
