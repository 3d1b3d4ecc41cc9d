import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { common, Stacks } from '../harness/stacks.ts';

const missing = missingForCluster();
/** Sleeps; `more` is further lines of the service. */
const sleeper = (name: string, more = ''): string => `  ${name}:\n    <<: *c\n    command: ["sleep", "3600"]\n${more}`;

(missing === undefined ? describe : describe.skip)('applying a Compose file again', () => {
  let cluster: TestCluster;
  const stacks = new Stacks(() => cluster);

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  /** Applies `files` under this name; gives what became of each pod since the time before: kept, new, or gone. */
  async function apply(name: string, files: Record<string, string>): Promise<Record<string, 'kept' | 'new' | 'gone'>> {
    const before = await stacks.containers(name);
    await stacks.apply({ name, files });
    // Applied is said when all is healthy; what is pruned may still be on its way out.
    const after = await eventually('nothing is on its way out', async () => {
      const pods = await stacks.pods(name);
      return pods.some(({ metadata }) => metadata.deletionTimestamp !== undefined) ? undefined : await stacks.containers(name);
    });
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return Object.fromEntries(names.map((pod) => [pod, after[pod] === undefined ? 'gone' : after[pod] === before[pod] ? 'kept' : 'new']));
  }

  const compose = (services: string, rest = ''): string => `${common}services:\n${services}${rest}`;

  test.concurrent('changes what has changed, prunes what went away, leaves the rest as it is', async () => {
    const name = 'changes';
    const web = (value: string): string => sleeper('web', `    environment: {A: ${value}}\n    deploy: {replicas: 2}\n`);
    const first = compose(web('one') + sleeper('db') + sleeper('old'));
    expect(await apply(name, { 'compose.yaml': first })).toEqual({
      'changes-db-1': 'new',
      'changes-old-1': 'new',
      'changes-web-1': 'new',
      'changes-web-2': 'new',
    });
    expect(await apply(name, { 'compose.yaml': first })).toEqual({
      'changes-db-1': 'kept',
      'changes-old-1': 'kept',
      'changes-web-1': 'kept',
      'changes-web-2': 'kept',
    });
    expect(stacks.result(name).stdout).toContain('stack.compose.berth.dev/changes unchanged');
    // Another order, comments and anchors are no change.
    expect(await apply(name, { 'compose.yaml': `# a comment\n${compose(sleeper('old') + sleeper('db') + web('"one"'))}` })).toEqual({
      'changes-db-1': 'kept',
      'changes-old-1': 'kept',
      'changes-web-1': 'kept',
      'changes-web-2': 'kept',
    });
    expect(await apply(name, { 'compose.yaml': compose(web('two') + sleeper('db') + sleeper('new')) })).toEqual({
      'changes-db-1': 'kept',
      'changes-new-1': 'new',
      'changes-old-1': 'gone',
      'changes-web-1': 'new',
      'changes-web-2': 'new',
    });
    await eventually('its name is gone, too', async () =>
      (await cluster.succeed('get', 'services', '-o', 'name')).includes('changes-old') ? undefined : true,
    );
    // More or fewer replicas are no change of those that stay.
    expect(await apply(name, { 'compose.yaml': compose(web('two').replace('replicas: 2', 'replicas: 3') + sleeper('db')) })).toMatchObject({
      'changes-web-1': 'kept',
      'changes-web-2': 'kept',
      'changes-web-3': 'new',
    });
    expect(await apply(name, { 'compose.yaml': compose(web('two').replace('replicas: 2', 'replicas: 1') + sleeper('db')) })).toMatchObject({
      'changes-web-1': 'kept',
      'changes-web-2': 'gone',
      'changes-web-3': 'gone',
    });
  });

  test.concurrent('a service is rolled when what its config or secret holds has changed, and old contents are swept up', async () => {
    const name = 'contents';
    const file = compose(
      `${sleeper('configured', '    configs: [motto]\n')}${sleeper('secured', '    secrets: [word]\n')}${sleeper('neither')}`,
      'configs: {motto: {file: ./motto.txt}}\nsecrets: {word: {file: ./word.txt}}\n',
    );
    const held = async (): Promise<string> =>
      await cluster.succeed('get', 'configmaps,secrets', '-l', 'compose.berth.dev/stack=contents', '-o', 'name');
    await apply(name, { 'compose.yaml': file, 'motto.txt': 'one', 'word.txt': 'first' });
    expect((await held()).trim().split('\n')).toHaveLength(2);
    expect(await apply(name, { 'motto.txt': 'two' })).toEqual({
      'contents-configured-1': 'new',
      'contents-neither-1': 'kept',
      'contents-secured-1': 'kept',
    });
    expect(await stacks.output('contents-configured-1', 'cat /motto')).toBe('two');
    expect(await apply(name, { 'word.txt': 'second' })).toEqual({
      'contents-configured-1': 'kept',
      'contents-neither-1': 'kept',
      'contents-secured-1': 'new',
    });
    expect(await stacks.output('contents-secured-1', 'cat /run/secrets/word')).toBe('second');
    await eventually('old contents are gone', async () => ((await held()).trim().split('\n').length === 2 ? true : undefined));
  });

  test.concurrent('a rolling update stops one replica after the other, and waits for each to be healthy', async () => {
    const name = 'rolling';
    const healthy = (script: string): string =>
      `  web:\n    <<: *c\n    command: ["sh", "-c", "${script}; exec sleep 3600"]\n    deploy: {replicas: 3}\n    healthcheck: {test: test -e /tmp/ok, interval: 1s, retries: 1}\n`;
    await apply(name, { 'compose.yaml': compose(healthy('touch /tmp/ok')) });
    const before = await stacks.containers(name);
    // The new ones never get healthy: the update stops at the first, and two of the old go on.
    const update = await cluster.berth(['apply', '-f', '-', '-p', name, '--timeout', '6s'], { input: compose(healthy('true')) });
    expect(update.code).toBe(1);
    expect(update.stderr).toContain('error: stack rolling is not healthy yet');
    await eventually('the first is replaced', async () => {
      const after = await stacks.containers(name);
      expect(Object.keys(after).filter((pod) => after[pod] === before[pod])).toHaveLength(2);
      return true;
    });
    expect(await apply(name, { 'compose.yaml': compose(healthy('touch /tmp/ok')) })).toEqual({
      'rolling-web-1': 'new',
      'rolling-web-2': 'kept',
      'rolling-web-3': 'kept',
    });
  });

  const finished = `  once:\n    <<: *c\n    command: ["sh", "-c", "echo ran >> /data/runs"]\n    volumes: [data:/data]\n${sleeper('reader', '    volumes: [data:/data]\n    depends_on: {once: {condition: service_completed_successfully}}\n')}`;
  const runs = async (name: string): Promise<number> => (await stacks.output(`${name}-reader-1`, 'cat /data/runs')).split('\n').length;

  test.concurrent('a one-shot that finished stays finished, also when its pod is gone; changed, it runs again', async () => {
    const name = 'finished';
    const file = compose(finished, 'volumes: {data: {}}\n');
    await apply(name, { 'compose.yaml': file });
    expect(await runs(name)).toBe(1);
    await apply(name, { 'compose.yaml': file });
    await cluster.succeed('delete', 'pod', 'finished-once-1');
    await apply(name, { 'compose.yaml': file });
    expect(await runs(name)).toBe(1);
    expect(await stacks.service(name, 'once')).toMatchObject({ state: 'Completed' });
    await apply(name, { 'compose.yaml': file.replace('echo ran', 'echo again') });
    expect(await runs(name)).toBe(2);
  });

  test.concurrent('a one-shot that failed runs again when its pod is deleted, as apply says', async () => {
    const name = 'failed';
    const file = compose(
      `  once:\n    <<: *c\n    command: ["sh", "-c", "test -e /data/go"]\n    volumes: [data:/data]\n${sleeper('helper', '    volumes: [data:/data]\n')}`,
      'volumes: {data: {}}\n',
    );
    const result = await stacks.apply({ name, files: { 'compose.yaml': file }, code: 1 });
    expect(result.stderr).toContain('To run it once more: berth delete pod failed-once-1');
    await stacks.output('failed-helper-1', 'touch /data/go');
    await cluster.succeed('delete', 'pod', 'failed-once-1');
    await eventually('it has run to its end', async () => ((await stacks.service(name, 'once')).state === 'Completed' ? true : undefined));
  });

  test.concurrent('two stacks with the same service names live side by side', async () => {
    const file = compose(
      `  web:\n    <<: *c\n    command: ["sh", "-c", "mkdir /w; hostname > /w/index.html; exec httpd -f -p 80 -h /w"]\n    volumes: [data:/data]\n${sleeper('client')}`,
      'volumes: {data: {}}\n',
    );
    await Promise.all(['left', 'right'].map((name) => stacks.apply({ name, files: { 'compose.yaml': file } })));
    await stacks.settles('left-client-1', 'fetch http://web/', 'left-web-1');
    await stacks.settles('right-client-1', 'fetch http://web/', 'right-web-1');
    await stacks.output('left-web-1', 'echo left > /data/x');
    expect((await stacks.run('right-web-1', 'cat /data/x')).code).not.toBe(0);
    const before = await stacks.containers('right');
    await cluster.succeed('delete', 'stack', 'left');
    await eventually('its pods are gone', async () => ((await stacks.pods('left')).length === 0 ? true : undefined));
    expect(await stacks.containers('right')).toEqual(before);
    await stacks.settles('right-client-1', 'fetch http://web/', 'right-web-1');
    // The volume outlives its stack, and the next apply finds it.
    await stacks.apply({ name: 'left', files: {} });
    expect(await stacks.output('left-web-1', 'cat /data/x')).toBe('left');
  });

  test.concurrent('berth scale changes the number of one service, until the file is applied again', async () => {
    const name = 'scaling';
    await apply(name, { 'compose.yaml': compose(sleeper('web') + sleeper('db')) });
    const before = await stacks.containers(name);
    expect(await cluster.succeed('scale', 'stack/scaling', '--service', 'web', '--replicas', '2')).toBe(
      'stack.compose.berth.dev/scaling web scaled\n',
    );
    await eventually('a second one', async () => ((await stacks.service(name, 'web')).ready === 2 ? true : undefined));
    expect(await stacks.containers(name)).toMatchObject(before);
    expect((await cluster.berth(['scale', 'stack/scaling', '--replicas', '2'])).stderr).toContain('--service with one of: web, db');
    expect(
      (await cluster.berth(['scale', 'stack/scaling', '--service', 'web', '--replicas', '3', '--current-replicas', '7'])).stderr,
    ).toContain('service "web" has 2 replicas, not 7');
    expect(await apply(name, {})).toMatchObject({ 'scaling-web-1': 'kept', 'scaling-web-2': 'gone' });
  });

  test.concurrent('berth delete takes a stack away by its file, with all but its volumes', async () => {
    const name = 'deleted_With.Odd-Name';
    const file = compose(
      sleeper('web', '    volumes: [data:/data]\n    secrets: [word]\n    ports: ["80"]\n'),
      'volumes: {data: {}}\nsecrets: {word: {content: "x"}}\n',
    );
    const given = `name: deleted_with-odd-name\n${file}`;
    await stacks.apply({ name, files: { 'compose.yaml': given } });
    const stackName = 'deleted-with-odd-name';
    expect(await stacks.pods(stackName)).toHaveLength(1);
    expect(await cluster.succeed('delete', '-f', `${stacks.folder(name)}/compose.yaml`)).toBe(
      `stack.compose.berth.dev "${stackName}" deleted\n`,
    );
    const left = async (): Promise<string> =>
      await cluster.succeed(
        'get',
        'pods,services,secrets,persistentvolumeclaims',
        '-l',
        `compose.berth.dev/stack=${stackName}`,
        '-o',
        'name',
      );
    await eventually('only the claim is left', async () =>
      (await left()) === `persistentvolumeclaim/${stackName}-data\n` ? true : undefined,
    );
  });

  // After all others: it ends what they stand on.
  test('after kill -9 of everything and a new start, all goes on as it was, and what finished stays finished', async () => {
    const name = 'survivor';
    const file = compose(finished + sleeper('plain', '    restart: always\n'), 'volumes: {data: {}}\n');
    await apply(name, { 'compose.yaml': file });
    const before = await stacks.containers(name);
    for (const part of ['up', 'server', 'agent', 'containerd'] as const) await cluster.kill(part);
    await cluster.up();
    expect(await apply(name, { 'compose.yaml': file })).toEqual(Object.fromEntries(Object.keys(before).map((pod) => [pod, 'kept'])));
    expect(await stacks.containers(name)).toEqual(before);
    expect(await runs(name)).toBe(1);
    expect(await stacks.service(name, 'once')).toMatchObject({ state: 'Completed' });
  });
});
