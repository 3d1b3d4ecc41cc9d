import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ComposeError } from './compose-error.ts';
import { convertStack } from './convert/convert-stack.ts';
import { type LoadRequest, loadProject } from './load/load-project.ts';
import { type ApplyPlan, planApply } from './plan-apply.ts';
import { readStackSpec } from './stack-spec.ts';

const files: Readonly<Record<string, string | Uint8Array>> = {
  '/app/page.html': '<h1>hello</h1>',
  '/app/binary': new Uint8Array([0xff, 0xfe, 0]),
  '/app/web.env': 'FROM_FILE=1\nBOTH=file\n',
  '/app/big': new Uint8Array((1 << 20) + 1),
};

async function apply(content: string, request: Partial<LoadRequest> = {}): Promise<ApplyPlan> {
  const loaded = await loadProject({
    files: [{ path: 'compose.yaml', content }],
    workingDirectory: '/app',
    environment: { TOKEN: 's3cr3t' },
    defaultProjectName: 'hello',
    readFile: (path) => {
      const file = files[path];
      return file === undefined ? Promise.reject(Object.assign(new Error('missing'), { code: 'ENOENT' })) : Promise.resolve(file);
    },
    ...request,
  });
  return planApply(loaded, 'default');
}

async function refusal(content: string, request: Partial<LoadRequest> = {}): Promise<string> {
  try {
    await apply(content, request);
  } catch (error) {
    if (error instanceof ComposeError) return error.message;
    throw error;
  }
  return 'accepted';
}

const project = `
services:
  web:
    image: web
    env_file: web.env
    environment: { BOTH: own, UNSET: }
    configs: [page, logo]
    secrets: [token]
    volumes: ['./data:/data']
configs:
  page: { file: ./page.html }
  logo: { file: ./binary }
  unused: { file: ./nowhere }
secrets:
  token: { environment: TOKEN }
`;

describe('what is applied', () => {
  test('contents are beside the stack and nowhere in it', async () => {
    const { stack, configMaps, secrets } = await apply(project);
    expect(configMaps.map(({ data, binaryData }) => data ?? binaryData)).toEqual([{ content: '<h1>hello</h1>' }, { content: '//4A' }]);
    expect(secrets).toMatchObject([{ immutable: true, type: 'Opaque', data: { content: Buffer.from('s3cr3t').toString('base64') } }]);
    expect(JSON.stringify(stack)).not.toMatch(/s3cr3t|czNjcjN0|<h1>|page\.html|TOKEN/);
    expect(stack.spec).toMatchObject({
      name: 'hello',
      services: { web: { environment: { FROM_FILE: '1', BOTH: 'own' }, volumes: [{ source: '/app/data' }] } },
      secrets: { token: { object: secrets[0]?.metadata.name } },
    });
    expect(JSON.stringify(stack.spec)).not.toContain('null');
  });

  test('names follow from contents: the same, the same name; another, another', async () => {
    const names = async (environment: Record<string, string>): Promise<(string | undefined)[]> =>
      (await apply(project, { environment })).secrets.map(({ metadata }) => metadata.name);
    expect(await names({ TOKEN: 'a' })).toEqual(await names({ TOKEN: 'a' }));
    expect(await names({ TOKEN: 'a' })).not.toEqual(await names({ TOKEN: 'b' }));
    expect((await names({ TOKEN: 'a' }))[0]).toMatch(/^hello-token-[a-z0-9]{10}$/);
  });

  test('what a stack carries is read back as it was', async () => {
    const { stack } = await apply(project);
    const model = readStackSpec(stack.spec, 'hello');
    expect(readStackSpec(JSON.parse(JSON.stringify(model)) as Record<string, unknown>, 'hello')).toEqual(model);
    const identity = { name: 'hello', namespace: 'default' };
    expect(convertStack(identity, model).services[0]?.template.hash).toBe(
      convertStack(identity, readStackSpec(stack.spec, 'hello')).services[0]?.template.hash,
    );
  });

  test('a name with underscores gives a stack’s', async () => {
    const { stack } = await apply('name: my_app\nservices: {web: {image: x}}');
    expect(stack.metadata.name).toBe('my-app');
    expect(await refusal('name: 42app\nservices: {web: {image: x}}')).toContain('begins with a letter');
  });

  test('a build beside an image is a warning, without one it is refused, each with its place', async () => {
    const { warnings } = await apply('services:\n  web:\n    image: x\n    build: .\n');
    expect(warnings).toEqual([
      'compose.yaml:4:5: services.web.build: Berth builds no images: the image of the service is used as it is (ignored)',
    ]);
    expect(await refusal('services:\n  web:\n    build: .\n')).toContain('compose.yaml:3:5: services.web.build: Berth builds no images');
  });
});

describe('errors say what, where and what next', () => {
  test.each([
    [
      'services:\n  web:\n    image: x\n    init: true\n    ulimits: {nproc: 1}\n',
      /^compose.yaml:4:5: services.web.init: .*\ncompose.yaml:5:5: services.web.ulimits: /,
    ],
    ['services:\n  web:\n    imgae: x\n', /compose.yaml:3:5: services.web.imgae: unknown key "imgae"; did you mean image\?/],
    ['services:\n  web:\n    image: [x]\n', /compose.yaml:3:5: services.web.image: must be a string, not a list/],
    [
      'services:\n  web:\n    image: x\n    ports:\n      - "80:80"\n      - nope\n',
      /compose.yaml:6:9: services.web.ports\[1\]: invalid port "nope"/,
    ],
    [
      `services:\n  web:\n    image: \${IMAGE:?name an image}\n`,
      /compose.yaml:3:5: services.web.image: required variable IMAGE is missing a value: name an image; set IMAGE/,
    ],
    [
      'services:\n  web:\n    image: x\n    depends_on: [db]\n',
      /compose.yaml:4:5: services.web.depends_on.db: depends on undefined service "db"/,
    ],
    [
      'services:\n  web:\n    image: x\n    env_file: nope.env\n',
      /compose.yaml:4:5: services.web.env_file\[0\]: env file \/app\/nope.env not found/,
    ],
    [
      'services:\n  web:\n    image: x\n    environment:\n      DAY: 2024-01-31\n',
      /compose.yaml:5:7: services.web.environment.DAY: .* not the date 2024-01-31; quote it/,
    ],
    [
      'services:\n  web:\n    image: x\n    secrets: [s]\nsecrets:\n  s: {environment: NOPE}\n',
      /compose.yaml:6:7: secrets.s.environment: the variable NOPE is not set/,
    ],
    [
      'services:\n  web:\n    image: x\n    configs: [c]\nconfigs:\n  c: {file: big}\n',
      /compose.yaml:6:3: configs.c: its content is larger than 1 MiB/,
    ],
    ['services:\n  web:\n    image: x\n    hostname: not_one\n', /compose.yaml:4:5: services.web.hostname: "not_one" is no host name/],
    ['services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n', /depend on each other in a circle: a → b → a/],
    ['hello', /compose.yaml: the file must be a mapping with services, not the string "hello"/],
    ['', /the Compose file is empty/],
    ['services:\n  web: {extends: {file: other.yaml, service: web}}\n', /services.web.extends: file \/app\/other.yaml not found/],
    ['include: [other.yaml]\nservices: {web: {image: x}}\n', /include\[0\]: file \/app\/other.yaml not found/],
  ])('%j', async (content, message) => {
    expect(await refusal(content)).toMatch(message);
  });

  test('in the file that said it', async () => {
    const two = [
      { path: 'compose.yaml', content: 'services:\n  web:\n    image: x\n' },
      { path: 'override.yaml', content: 'services:\n  web:\n\n    ports: [a]\n' },
    ];
    expect(await refusal('', { files: two })).toContain('override.yaml:4:13: services.web.ports[0]: invalid port "a"');
  });

  test('a project name given by hand must be one', async () => {
    expect(await refusal('services: {web: {image: x}}', { projectName: 'My App' })).toContain('invalid project name "My App"');
  });
});

test('the example that comes with Berth is understood, without a warning', async () => {
  const path = join(import.meta.dirname, '../../manifests/hello/compose.yaml');
  const { warnings, configMaps } = await apply(readFileSync(path, 'utf8'));
  expect(warnings).toEqual([]);
  expect(configMaps).toHaveLength(1);
});
