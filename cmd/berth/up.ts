import type { Verb } from '#cli/verb';
import type { UpFlags } from './run-up.ts';
import { declareStoreFlags } from './store-flags.ts';

export const upVerb: Verb = {
  declare: (program, run) => {
    declareStoreFlags(program.command('up').description('run a whole cluster on this machine: a server and an agent'))
      .option('-d, --detach', 'in the background; `berth down` ends it')
      .option('--port <port>', "the Kubernetes API's port", '6443')
      .option('--agent-port <port>', 'the port that agents dial', '6444')
      .option('--cluster-cidr <range>', 'addresses of pods', '10.42.0.0/16')
      .option('--service-cidr <range>', 'addresses of services', '10.43.0.0/16')
      .option('--server-token-file <file>', "to join servers over one etcd: a copy of another's $BERTH_HOME/server-token")
      .option('--node-name <name>', "this node's name (default: this machine's hostname)")
      .option('--containerd <socket>', "use this containerd instead of one of Berth's own")
      .option('--log-level <level>', 'error, warn, info or debug', 'warn')
      .action((flags: UpFlags) =>
        run(async (context) => {
          const { runUp } = await import('./run-up.ts');
          return await runUp(flags, context);
        }),
      );
  },
};
