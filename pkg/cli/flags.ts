/** Flags that kubectl's users write in more than one way. Imported when the program is declared: it imports next to nothing. */
import type { Command } from 'commander';
import { UsageError } from './verb.ts';

/** `--dry-run`, `--dry-run=server`, `--dry-run=client` (which asks the server too) and `--dry-run=none`. */
export function isDryRun(value: true | string | undefined): boolean {
  if (value === undefined || value === 'none') return false;
  if (value === true || value === 'server' || value === 'client') return true;
  throw new UsageError(`--dry-run is server, client or none, not "${value}"`);
}

/** Gathers a flag that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** The same for a flag that takes several words by commas too. */
export function collectWords(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, ...value.split(',').filter((word) => word !== '')];
}

/** `--wait=false` and `--watch=true` as commander knows them: `--no-wait`, `--watch`. What stands after `--`, or behind `exec`, is not ours. */
export function spellSwitches(program: Command, argv: readonly string[]): string[] {
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  const names = new Set(commands.map((command) => command.name()));
  const verb = commands.find((command) => command.name() === argv.find((word) => names.has(word)));
  const end = argv.indexOf('--');
  if (verb === undefined || verb.name() === 'exec') return [...argv];
  const options = [verb, ...verb.commands, program].flatMap((command) => command.options);
  return argv.flatMap((word, index) => {
    const match = /^(--[a-z-]+)=(true|false)$/.exec(word);
    if (match === null || (end >= 0 && index > end)) return [word];
    const [, flag = '', value] = match;
    const option = options.find(({ long }) => long === flag);
    if (option === undefined || option.required || option.optional) return [word];
    if (value === 'true') return [flag];
    const opposite = `--no-${flag.slice(2)}`;
    return options.some(({ long }) => long === opposite) ? [opposite] : [];
  });
}
