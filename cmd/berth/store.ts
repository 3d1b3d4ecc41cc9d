import type { Verb } from '#cli/verb';
import { declareStoreFlags, type StoreFlags } from './store-flags.ts';

export const storeVerb: Verb = {
  declare: (program, run) => {
    const store = program.command('store').description('move a cluster between stores, back it up, put it back (no server may run)');
    declareStoreFlags(
      store.command('export').argument('<file>').description("write the cluster's state to a new file; its secrets are in it"),
    ).action((file: string, flags: StoreFlags) =>
      run(async (context) => {
        const { runExport } = await import('./run-store.ts');
        return await runExport(file, flags, context);
      }),
    );
    declareStoreFlags(store.command('import').argument('<file>').description('fill an empty store from such a file')).action(
      (file: string, flags: StoreFlags) =>
        run(async (context) => {
          const { runImport } = await import('./run-store.ts');
          return await runImport(file, flags, context);
        }),
    );
    declareStoreFlags(
      store
        .command('restore')
        .description("after the store's own backup (its file, or a snapshot of etcd) was put back: let servers and agents know, once"),
    ).action((flags: StoreFlags) =>
      run(async (context) => {
        const { runRestore } = await import('./run-store.ts');
        return await runRestore(flags, context);
      }),
    );
  },
};
