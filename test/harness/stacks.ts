/** Compose projects on a real cluster, for end-to-end tests: written into folders of their own, applied at once, looked into. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Stack, StackServiceStatus } from '#api/shapes/types/compose-v1alpha1';
import type { Pod } from '#api/shapes/types/core-v1';
import type { TestCluster } from './cluster.ts';
import { type CommandResult, eventually } from './commands.ts';

export interface Project {
  /** Of the stack. */
  readonly name: string;
  /** Paths in the project's folder, with what is in them. */
  readonly files: Readonly<Record<string, string>>;
  /** After `berth apply`; `-f compose.yaml` unless given. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** What `apply` is to end with; 0 unless given. */
  readonly code?: number;
}

/** Beginning of a file: what every service of these tests has. `<<: *c` takes it. */
export const common = 'x-c: &c\n  image: berth.local/hello:1\n  stop_grace_period: 1s\n';

export class Stacks {
  readonly #cluster: () => TestCluster;
  readonly #projects: Project[] = [];
  readonly #results = new Map<string, CommandResult>();

  /** The cluster may be started later than tests are declared. */
  constructor(cluster: () => TestCluster) {
    this.#cluster = cluster;
  }

  /** Declares a project that `applyAll` is to apply; gives its name. */
  declare(project: Project): string {
    this.#projects.push(project);
    return project.name;
  }

  /** All declared projects, a few at a time; `unexpected` gives those that did not end as they should. */
  async applyAll(): Promise<void> {
    const waiting = [...this.#projects];
    const work = async (): Promise<void> => {
      for (let project = waiting.shift(); project !== undefined; project = waiting.shift()) await this.#run(project);
    };
    await Promise.all(Array.from({ length: 6 }, work));
  }

  /** What `apply` printed of the declared projects whose exit code is not theirs. */
  unexpected(): string[] {
    return this.#projects.flatMap((project) => {
      const result = this.#results.get(project.name);
      return result?.code === (project.code ?? 0) ? [] : [`${project.name}: ${result?.code}\n${result?.stdout}\n${result?.stderr}`];
    });
  }

  /** Throws unless it ends with the project's exit code. */
  async apply(project: Project): Promise<CommandResult> {
    const result = await this.#run(project);
    if (result.code !== (project.code ?? 0))
      throw new Error(`apply of ${project.name} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
    return result;
  }

  async #run(project: Project): Promise<CommandResult> {
    const folder = this.folder(project.name);
    mkdirSync(folder, { recursive: true });
    for (const [path, content] of Object.entries(project.files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const result = await this.#cluster().berth(['apply', ...(project.args ?? ['-f', 'compose.yaml'])], {
      cwd: folder,
      timeout: 230_000,
      ...(project.env === undefined ? {} : { env: project.env }),
      ...(project.input === undefined ? {} : { input: project.input }),
    });
    this.#results.set(project.name, result);
    return result;
  }

  folder(name: string): string {
    return join(this.#cluster().home, 'projects', name);
  }

  /** What the last `apply` of the project printed. */
  result(name: string): CommandResult {
    const result = this.#results.get(name);
    if (result === undefined) throw new Error(`${name} was not applied`);
    return result;
  }

  async get(name: string): Promise<Stack> {
    return JSON.parse(await this.#cluster().succeed('get', 'stack', name, '-o', 'json')) as Stack;
  }

  async service(name: string, service: string): Promise<StackServiceStatus> {
    const found = (await this.get(name)).status?.services?.find((one) => one.name === service);
    if (found === undefined) throw new Error(`${name} has no service ${service}`);
    return found;
  }

  async pods(name: string): Promise<readonly Pod[]> {
    const text = await this.#cluster().succeed('get', 'pods', '-l', `compose.berth.dev/stack=${name}`, '-o', 'json');
    return (JSON.parse(text) as { items: Pod[] }).items;
  }

  async pod(podName: string): Promise<Pod> {
    return JSON.parse(await this.#cluster().succeed('get', 'pod', podName, '-o', 'json')) as Pod;
  }

  /** By pod: the id of its container. */
  async containers(name: string): Promise<Record<string, string>> {
    const pods = await this.pods(name);
    return Object.fromEntries(pods.map((pod) => [pod.metadata.name ?? '', pod.status?.containerStatuses?.[0]?.containerID ?? '']));
  }

  /** A script in the pod's container; whatever its exit code. */
  async run(pod: string, script: string): Promise<CommandResult> {
    return await this.#cluster().berth(['exec', pod, '--', 'sh', '-c', script]);
  }

  /** The script's output without its last line end; throws unless it ends with 0. */
  async output(pod: string, script: string): Promise<string> {
    const result = await this.run(pod, script);
    if (result.code !== 0) throw new Error(`${script} in ${pod} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
    return result.stdout.trimEnd();
  }

  /** Runs the script until it prints this: what runs need not have written, or listen, yet. */
  async settles(pod: string, script: string, text: string): Promise<void> {
    await eventually(`${script} in ${pod} prints ${JSON.stringify(text)}`, async () => {
      const now = await this.output(pod, script);
      if (now !== text) throw new Error(now);
      return true;
    });
  }

  async logs(pod: string): Promise<string> {
    return await this.#cluster().succeed('logs', pod);
  }
}
