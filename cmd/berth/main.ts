#!/usr/bin/env node
import { systemClock } from '#base/clock';
import { runProgram } from '#cli/program';
import { verbs } from '#cli/verbs/index';
import { agentVerb } from './agent.ts';
import { downVerb } from './down.ts';
import { serverVerb } from './server.ts';
import { storeVerb } from './store.ts';
import { upVerb } from './up.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    workingDirectory: process.cwd(),
    clock: systemClock,
    signal: interrupt.signal,
  },
  [upVerb, downVerb, serverVerb, agentVerb, storeVerb, ...verbs],
);
