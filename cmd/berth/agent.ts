import type { Verb } from '#cli/verb';
import type { AgentFlags } from './run-agent.ts';

export const agentVerb: Verb = {
  declare: (program, run) => {
    program
      .command('agent')
      .description('run the node agent: join a cluster and run its pods here')
      .option('--server <host:port>', 'a server to join (its agent port); not needed once the node has joined')
      .option('--token <token>', 'a join token from `berth token create`; better given by file, other users see arguments')
      .option('--token-file <file>', 'a file with a join token')
      .option('--node-name <name>', "the node's name (default: this machine's hostname)")
      .option('--containerd <socket>', "use this containerd instead of one of Berth's own")
      .option('--label <key=value...>', 'labels for the node', [])
      .option('--forget-assignments', 'take what the next server gives, whatever ran here before')
      .option('--log-level <level>', 'error, warn, info or debug', 'warn')
      .action((flags: AgentFlags) =>
        run(async (context) => {
          const { runAgent } = await import('./run-agent.ts');
          return await runAgent(flags, context);
        }),
      );
  },
};
