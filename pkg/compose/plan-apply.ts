/**
 * A loaded project → what `berth apply` writes: ConfigMaps and Secrets with the contents, first, then the Stack that refers to them. Pure. The names of
 * the former are hashes of what they hold, so they never change: create them, and take "already exists" for done.
 */
import { scryptSync } from 'node:crypto';
import { shortHash } from '#api/hash';
import { checkDns1035Label } from '#api/names';
import type { Stack } from '#api/shapes/types/compose-v1alpha1';
import type { ConfigMap, Secret } from '#api/shapes/types/core-v1';
import { ComposeError } from './compose-error.ts';
import { convertStack } from './convert/convert-stack.ts';
import { addLabels } from './convert/labels.ts';
import { contentKey, contentLabel, objectName, stackLabel } from './convert/names.ts';
import type { LoadedProject } from './load/load-project.ts';
import type { FileObject } from './model.ts';
import { readStackSpec, toStackSpec } from './stack-spec.ts';
import { checkSupport, type Finding } from './support.ts';

export interface ApplyPlan {
  readonly stack: Omit<Stack, 'apiVersion' | 'kind'> & { metadata: { name: string; namespace: string } };
  readonly configMaps: readonly Omit<ConfigMap, 'apiVersion' | 'kind'>[];
  readonly secrets: readonly Omit<Secret, 'apiVersion' | 'kind'>[];
  /** What has no effect, with its position: for people, one line each. */
  readonly warnings: readonly string[];
}

/** The largest content of one config or secret: objects have a limit, and base64 a third more. */
const maximumContent = 1 << 20;

/** Throws ComposeError, with every refusal on a line of its own. */
export function planApply(loaded: LoadedProject, namespace: string): ApplyPlan {
  const { project } = loaded;
  const findings = checkSupport(project);
  const refusals = findings.filter(({ support }) => support === 'refused').map((finding) => errorOf(finding, loaded));
  if (refusals.length === 1) throw refusals[0];
  if (refusals.length > 1) throw new ComposeError(refusals.map(({ message }) => message).join('\n'));
  const warnings = [...loaded.warnings, ...findings.map((finding) => `${errorOf(finding, loaded).message} (ignored)`)];
  try {
    const name = stackName(project.name ?? '');
    const configMaps: ApplyPlan['configMaps'][number][] = [];
    const secrets: ApplyPlan['secrets'][number][] = [];
    const configNames = new Map<string, string>();
    const secretNames = new Map<string, string>();
    for (const [key, content] of loaded.contents.configs) {
      const metadata = contentMetadata('config', name, namespace, key, project.configs?.[key], content);
      configNames.set(key, metadata.name);
      configMaps.push({ metadata, immutable: true, ...configData(content) });
    }
    for (const [key, content] of loaded.contents.secrets) {
      const metadata = contentMetadata('secret', name, namespace, key, project.secrets?.[key], content);
      secretNames.set(key, metadata.name);
      secrets.push({ metadata, immutable: true, type: 'Opaque', data: { [contentKey]: Buffer.from(content).toString('base64') } });
    }
    const spec = toStackSpec(project, { configs: configNames, secrets: secretNames });
    // What the controller would refuse is refused here, where its author sees it.
    convertStack({ name, namespace }, readStackSpec(spec, name));
    return { stack: { metadata: { name, namespace }, spec }, configMaps, secrets, warnings };
  } catch (error) {
    throw error instanceof ComposeError ? located(error, loaded) : error;
  }
}

/** The name of the Stack for a project's: `my_app` is `my-app`. Throws ComposeError where it would be none. */
export function stackName(projectName: string): string {
  const name = objectName(projectName, 'name');
  const fault = checkDns1035Label(name)[0];
  if (fault !== undefined || name.length > 40) {
    throw new ComposeError(`the project name "${projectName}" cannot be a stack's: it begins with a letter and has at most 40 characters`, {
      path: 'name',
      next: 'choose another with -p',
    });
  }
  return name;
}

function errorOf(finding: Finding, loaded: LoadedProject): ComposeError {
  return located(new ComposeError(finding.reason, { path: finding.path }), loaded);
}

function located(error: ComposeError, loaded: LoadedProject): ComposeError {
  const position = error.position === undefined && error.path !== undefined ? loaded.locate(error.path) : undefined;
  return position === undefined ? error : error.with({ position });
}

function contentMetadata(
  kind: 'config' | 'secret',
  stack: string,
  namespace: string,
  key: string,
  object: FileObject | undefined,
  content: Uint8Array,
): ConfigMap['metadata'] & { name: string } {
  const path = `${kind}s.${key}`;
  if (content.length > maximumContent) {
    throw new ComposeError(`its content is larger than 1 MiB (${content.length} bytes)`, {
      path,
      next: 'put it into the image or into a volume',
    });
  }
  const labels: Record<string, string> = { [stackLabel]: stack, [contentLabel]: kind };
  const annotations: Record<string, string> = {};
  addLabels(object?.labels ?? {}, `${path}.labels`, { labels, annotations });
  // The name is for all to see. That of a secret is dear to compute, so that it cannot be used to guess what is in it.
  const digest = kind === 'secret' ? scryptSync(content, `${namespace}/${stack}/${key}`, 32) : Buffer.from(content);
  const hash = shortHash({ content: digest.toString('base64'), labels, annotations });
  return {
    name: `${stack}-${objectName(key, path)}-${hash}`,
    namespace,
    labels,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

/** Text as text, anything else as bytes. */
function configData(content: Uint8Array): Pick<ConfigMap, 'data' | 'binaryData'> {
  try {
    return { data: { [contentKey]: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content) } };
  } catch {
    return { binaryData: { [contentKey]: Buffer.from(content).toString('base64') } };
  }
}
