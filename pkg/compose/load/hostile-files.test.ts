/** Whatever stands in a Compose file, it is loaded or refused with a ComposeError that says where. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ComposeError } from '../compose-error.ts';
import { loadProject } from './load-project.ts';

const seeded = { seed: 20_260_103, numRuns: 150 };

async function survives(content: string): Promise<void> {
  try {
    await loadProject({
      files: [{ path: 'compose.yaml', content }],
      workingDirectory: '/project',
      environment: { A: 'b' },
      projectName: 'p',
      readFile: (path) => Promise.reject(Object.assign(new Error(`${path}: no such file`), { code: 'ENOENT' })),
    });
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    expect(error.message).not.toBe('');
  }
}

const service = [
  ...[
    'image',
    'build',
    'command',
    'ports',
    'volumes',
    'environment',
    'env_file',
    'depends_on',
    'deploy',
    'healthcheck',
    'networks',
    'configs',
  ],
  ...[
    'secrets',
    'extends',
    'profiles',
    'ulimits',
    'sysctls',
    'tmpfs',
    'logging',
    'labels',
    'expose',
    'devices',
    'mem_limit',
    'cpus',
    'restart',
  ],
  ...['stop_grace_period', 'extra_hosts', 'cap_add', 'user', 'develop', 'scale', 'entrypoint', 'develop', 'blkio_config', 'x-a', 'unknown'],
];
const top = ['services', 'volumes', 'networks', 'configs', 'secrets', 'name', 'version', 'include', 'x-b', 'models', 'unknown'];
const leaf = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1.5,
  '',
  'a',
  '$A',
  '${A',
  ['$', '{A:?no}'].join(''),
  '80:80',
  '8000-9000:80',
  './a:/b:ro',
  '1g',
  '10s',
  '*',
  '__proto__',
  'service:a',
  'A=b',
  ':',
  '~',
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(
        fc.tuple(
          fc.constantFrom(
            'a',
            'type',
            'source',
            'target',
            'file',
            'service',
            'path',
            'external',
            'name',
            'published',
            'driver',
            '',
            '__proto__',
            'resources',
            'limits',
            'test',
            'condition',
          ),
          tie('value'),
        ),
        { maxLength: 4 },
      )
      .map((entries) => Object.fromEntries(entries)),
  ),
}));
const mapping = (keys: readonly string[]): fc.Arbitrary<object> =>
  fc.array(fc.tuple(fc.constantFrom(...keys), value), { maxLength: 4 }).map((entries) => Object.fromEntries(entries) as object);

test('any structure', async () => {
  const project = fc.tuple(mapping(top), fc.dictionary(fc.constantFrom('a', 'b', ''), mapping(service), { maxKeys: 3 }));
  await fc.assert(
    fc.asyncProperty(project, async ([rest, services]) => survives(JSON.stringify({ services, ...rest }))),
    seeded,
  );
  await fc.assert(
    fc.asyncProperty(mapping(service), async (one) => survives(JSON.stringify({ services: { a: { image: 'i', ...one } } }))),
    { ...seeded, numRuns: 400 },
  );
});

test('any text', async () => {
  const pieces = fc.constantFrom(
    'services:\n',
    '  a:\n',
    '    image: b\n',
    '- ',
    ': ',
    '\n',
    '  ',
    '&x ',
    '*x',
    '<<: ',
    '!reset ',
    '!override ',
    '{',
    '}',
    '[',
    ']',
    '"',
    '$',
    '${',
    '---\n',
    '\t',
    '? ',
    '|',
    '#',
    '!!binary ',
    '\0',
    '\ufeff',
  );
  const text = fc.oneof(
    fc.string({ maxLength: 200, unit: 'binary' }),
    fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 40 }).map((parts) => parts.join('')),
  );
  await fc.assert(fc.asyncProperty(text, survives), { ...seeded, numRuns: 400 });
  const laughs = [
    'x-a0: &a0 [x,x,x,x,x,x,x,x,x]',
    ...Array.from({ length: 9 }, (_, n) => `x-a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`),
  ].join('\n');
  for (const large of [laughs, '['.repeat(20_000), '- '.repeat(20_000), 'a: &a [*a]', 'services: {a: {image: "${A'.repeat(2000)])
    await survives(large);
});
