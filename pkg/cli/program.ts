/** The `berth` command: its verbs put together, its errors printed, its exit code decided. */
import { Command, CommanderError, Option } from 'commander';
import { hasReason, messageOf, StatusError } from '#base/errors';
import { isAbort } from '#base/lifecycle';
import { spellSwitches } from './flags.ts';
import { exitCodes, UsageError, type Verb, type VerbContext } from './verb.ts';
import { verbs as allVerbs } from './verbs/index.ts';

/** Runs one command line (without `node` and the script) and gives its exit code; never throws. */
export async function runProgram(argv: readonly string[], context: VerbContext, verbs: readonly Verb[] = allVerbs): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = new Command('berth')
    .description('Runs Docker Compose files and Kubernetes manifests on a pool of servers.')
    .showHelpAfterError('(berth --help, or berth VERB --help, shows how it is used)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(text) });
  for (const option of globalOptions()) program.addOption(option);
  program.addHelpText(
    'after',
    '\nStart here:\n  berth up                        a server and an agent on this machine\n  berth apply -f compose.yaml     run a Compose file (or Kubernetes manifests)\n  berth get stacks                what runs\n',
  );
  for (const verb of verbs) {
    verb.declare(program, async (action) => {
      exitCode = await action(context);
    });
  }
  for (const command of program.commands) acceptGlobals(command);
  try {
    await program.parseAsync(spellSwitches(program, argv), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (context.signal.aborted && isAbort(error)) return 130;
    context.stderr.write(`${describeError(error)}\n`);
    return exitCodes.error;
  }
}

function globalOptions(): Option[] {
  return [
    new Option('--kubeconfig <file>', "the cluster's kubeconfig (default: $KUBECONFIG, then $BERTH_HOME/kubeconfig)"),
    new Option('--context <name>', 'the context of the kubeconfig to use'),
    new Option('-n, --namespace <namespace>', 'the namespace to work in'),
    new Option('--request-timeout <duration>', 'how long one answer of the server, or a watch, may take (default: 30s for its first word)'),
  ];
}

/** Lets the program's own flags stand behind the verb too, as kubectl's users write them. */
function acceptGlobals(command: Command): void {
  for (const option of globalOptions()) command.addOption(option.hideHelp());
  for (const inner of command.commands) acceptGlobals(inner);
}

/** What went wrong and what to do next, in a few lines. */
export function describeError(error: unknown): string {
  if (error instanceof UsageError) return `error: ${error.message}${error.next === undefined ? '' : `\n  ${error.next}`}`;
  if (error instanceof StatusError) {
    const next = nextAfter(error);
    return `Error from server (${error.reason}): ${error.message}${next === undefined ? '' : `\n  ${next}`}`;
  }
  return `error: ${messageOf(error)}`;
}

function nextAfter(error: StatusError): string | undefined {
  if (hasReason(error, 'Unauthorized'))
    return 'The kubeconfig in use holds no credentials that this server knows; the admin one is $BERTH_HOME/kubeconfig.';
  if (hasReason(error, 'ServiceUnavailable')) return 'Try again shortly; `berth get nodes` shows whether the cluster is well.';
  return undefined;
}
