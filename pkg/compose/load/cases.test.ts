/**
 * Recorded results of the Compose reference implementation. They are read from beside the repository and are no part of it; without them these tests
 * are skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ComposeError } from '../compose-error.ts';
import { parseDotenv } from './dotenv.ts';
import { loadProject } from './load-project.ts';
import { mergeMappings } from './merge.ts';
import { interpolate, type Lookup } from './template.ts';
import type { Mapping } from './tree.ts';
import { parseVolumeSpec } from './volume-spec.ts';

const folder = resolve('..', 'shared', 'compose-cases');
const root = join(folder, 'root');
const present = existsSync(folder);
const describeCases = present ? describe : describe.skip;

function cases<T>(name: string): T[] {
  if (!present) return [];
  return readFileSync(join(folder, `${name}.jsonl`), 'utf8')
    .replaceAll(/\$\{ROOT\}/g, root)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

interface Outcome {
  readonly id: string;
  readonly problem?: string;
}

/** The cases that differ from what is known of them: failures that are not in the table, and entries of the table that pass by now. */
function surprises(name: string, outcomes: readonly Outcome[], known: Readonly<Record<string, string>> = {}): string[] {
  const failed = outcomes.filter(({ problem }) => problem !== undefined);
  process.stdout.write(`compose cases, ${name}: ${outcomes.length - failed.length} of ${outcomes.length} pass\n`);
  const passing = Object.keys(known).filter((id) => !failed.some((outcome) => outcome.id === id));
  return [
    ...failed.filter(({ id }) => !(id in known)).map(({ id, problem }) => `${id}: ${problem}`),
    ...passing.map((id) => `${id} passes`),
  ];
}

function attempt(id: string, expected: { result?: unknown; error?: string }, run: () => unknown): Outcome {
  let actual: unknown;
  try {
    actual = run();
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    return expected.error === undefined ? { id, problem: error.message } : { id };
  }
  return compare(id, expected, actual);
}

function compare(id: string, expected: { result?: unknown; error?: string }, actual: unknown): Outcome {
  if (expected.error !== undefined) return { id, problem: `accepted, but: ${expected.error}` };
  const [want, got] = [expected.result, actual].map((value) => JSON.stringify(sorted(value)));
  return want === got ? { id } : { id, problem: `\n  want ${want}\n  got  ${got}` };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

describeCases('the recorded cases', () => {
  test('template: all', () => {
    interface Case {
      template: string;
      vars: Record<string, string>;
      test: string;
      result?: string;
      error?: string;
    }
    const outcomes = cases<Case>('template').map((one, index) => {
      // These cases replace how a variable is looked up: it is foobar where it is not set, and one name is an error.
      const own = one.test === 'template.TestSubstituteWithReplacementFunc';
      const lookup: Lookup = (name) => {
        if (own && name === 'NOTHERE') throw new ComposeError('bad choice');
        return one.vars[name] ?? (own ? 'foobar' : undefined);
      };
      return attempt(`template-${index}`, one, () => interpolate(one.template, lookup));
    });
    expect(surprises('template', outcomes)).toEqual([]);
  });

  test('dotenv: all', () => {
    interface Case {
      src: string;
      vars: Record<string, string>;
      result?: Record<string, string>;
      error?: string;
    }
    // Recorded of the last of several files, with the variables of all: what the files before it said is given here.
    const earlier: Readonly<Record<number, Record<string, string>>> = {
      2: { COMPOSE_FILE: 'compose-with-env-file.yaml', COMPOSE_PROJECT_NAME: 'my_project_from_dot_env', PORT: '8000' },
      52: { FOO: 'foo_from_env_file', BAR: 'bar_from_env_file', BAZ: 'baz_from_env_file', 'ENV.WITH.DOT': 'ok', ENV_WITH_UNDERSCORE: 'ok' },
      55: { QIX: 'QIX_from_os.env' },
    };
    const outcomes = cases<Case>('dotenv').map((one, index) =>
      attempt(`dotenv-${index}`, one, () => ({ ...earlier[index], ...parseDotenv(one.src, (name) => one.vars[name]) })),
    );
    expect(surprises('dotenv', outcomes)).toEqual([]);
  });

  test('volume-short: all', () => {
    interface Case {
      spec: string;
      result?: unknown;
      error?: string;
    }
    const outcomes = cases<Case>('volume-short').map((one, index) =>
      attempt(`volume-${index}`, one, () => {
        const volume = parseVolumeSpec(one.spec);
        // The default is left out of the canonical form.
        if (volume.bind?.create_host_path === true) delete volume.bind.create_host_path;
        return volume;
      }),
    );
    expect(surprises('volume-short', outcomes)).toEqual([]);
  });

  test('merge: all', () => {
    interface Case {
      base: Mapping;
      override: Mapping;
      result?: Mapping;
      error?: string;
    }
    const outcomes = cases<Case>('merge').map((one, index) => attempt(`merge-${index}`, one, () => mergeMappings(one.base, one.override)));
    expect(surprises('merge', outcomes)).toEqual([]);
  });

  test('load', async () => {
    interface Case {
      id: string;
      files: { filename: string; content: string }[];
      env: Record<string, string>;
      workingDir: string;
      options: Record<string, unknown>;
      profiles?: string[];
      project?: unknown;
      error?: string;
      disabledServices?: string[];
    }
    const outcomes: Outcome[] = [];
    for (const one of cases<Case>('load')) {
      const { options } = one;
      const name = options.projectName as string | undefined;
      const named = name === undefined ? {} : options.imperative === true ? { projectName: name } : { defaultProjectName: name };
      const expected = { ...(one.error === undefined ? {} : { error: one.error }), result: one.project };
      try {
        const loaded = await loadProject({
          files: one.files.map((file) => ({ path: file.filename, content: file.content })),
          workingDirectory: one.workingDir,
          environment: one.env,
          envFiles: [],
          profiles: one.profiles ?? [],
          // Relative paths were relative to the folder of the loader's own tests.
          readFile: (path) => readFile(isAbsolute(path) ? path : join(root, 'loader', path)),
          ...named,
          options: {
            resolvePaths: options.resolvePaths === true,
            skipNormalisation: options.skipNormalization === true,
            skipConsistencyCheck: options.skipConsistencyCheck === true,
            skipValidation: options.skipValidation === true,
            discardEnvFiles: options.discardEnvFiles === true,
            selectedServices: (options.selectedServices as string[] | undefined) ?? [],
            skipContents: true,
          },
        });
        const disabled = Object.keys(loaded.disabledServices).toSorted();
        if (one.disabledServices !== undefined && JSON.stringify(disabled) !== JSON.stringify(one.disabledServices.toSorted())) {
          outcomes.push({ id: one.id, problem: `disabled: ${disabled.join(', ')}` });
        } else
          outcomes.push(
            one.project === null || one.project === undefined
              ? compare(one.id, expected, one.project)
              : compare(one.id, expected, loaded.project),
          );
      } catch (error) {
        if (!(error instanceof ComposeError)) throw error;
        outcomes.push(one.error === undefined ? { id: one.id, problem: error.message } : { id: one.id });
      }
    }
    const known = { 'load-041': 'the reference joins a relative working directory twice; here it is joined once' };
    expect(surprises('load', outcomes, known)).toEqual([]);
  });
});
