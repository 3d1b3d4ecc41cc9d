import type { Verb } from '#cli/verb';
import type { ServerFlags } from './run-server.ts';
import { declareStoreFlags } from './store-flags.ts';

export const serverVerb: Verb = {
  declare: (program, run) => {
    declareStoreFlags(program.command('server').description('run the API server, scheduler and controllers in this process'))
      .option('--host <address>', 'the address to listen on', '0.0.0.0')
      .option('--port <port>', "the Kubernetes API's port", '6443')
      .option('--agent-port <port>', 'the port that agents dial', '6444')
      .option('--cluster-cidr <range>', 'addresses of pods', '10.42.0.0/16')
      .option('--service-cidr <range>', 'addresses of services', '10.43.0.0/16')
      .option('--tls-san <name...>', "further names or addresses in the server's certificate", [])
      .option(
        '--advertise-address <address>',
        'where pods, agents and other servers reach this one (default: --host, or its first address)',
      )
      .option('--server-token-file <file>', "to join servers over one etcd: a copy of another's $BERTH_HOME/server-token")
      .option('--log-level <level>', 'error, warn, info or debug', 'warn')
      .action((flags: ServerFlags) =>
        run(async (context) => {
          const { runServer } = await import('./run-server.ts');
          return await runServer(flags, context);
        }),
      );
  },
};
