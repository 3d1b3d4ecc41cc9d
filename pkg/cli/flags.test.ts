import { describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { isDryRun, spellSwitches } from './flags.ts';

const program = new Command('berth').option('-n, --namespace <name>');
program.command('get').option('-w, --watch').option('--no-headers').option('-o, --output <format>');
program.command('delete').option('--wait', '', true).option('--no-wait').option('--all');
program.command('exec').option('-i, --stdin');

const spell = (line: string): string => spellSwitches(program, line.split(' ')).join(' ');

describe('switches as kubectl’s users write them', () => {
  test.each([
    ['delete pod x --wait=false', 'delete pod x --no-wait'],
    ['delete pod x --wait=true --all=true', 'delete pod x --wait --all'],
    ['delete pods --all=false', 'delete pods'],
    ['-n kube-system delete pod x --wait=false', '-n kube-system delete pod x --no-wait'],
    ['get pods --watch=true --no-headers=true', 'get pods --watch --no-headers'],
    ['get pods --no-headers=false', 'get pods'],
    // Not switches, not ours, or not known: left to commander.
    ['get pods --output=true', 'get pods --output=true'],
    ['get pods --unknown=true', 'get pods --unknown=true'],
    ['exec x sh --wait=false', 'exec x sh --wait=false'],
    ['delete pod -- --all=true', 'delete pod -- --all=true'],
    ['nonsense --all=true', 'nonsense --all=true'],
  ])('%s', (written, meant) => {
    expect(spell(written)).toBe(meant);
  });
});

describe('--dry-run', () => {
  test('is on alone, by server and by client; off by none and when absent', () => {
    expect([true, 'server', 'client', 'none', undefined].map((value) => isDryRun(value as string))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(() => isDryRun('maybe')).toThrow('--dry-run is server, client or none, not "maybe"');
  });
});
