/** Environment and labels of services: variables without a value are taken from the environment, `env_file` and `label_file` are read. */
import { ComposeError } from '../compose-error.ts';
import type { ComposeProject, Service } from '../model.ts';
import { decodeText, isMissing, type LoadContext, lookupIn, readError } from './context.ts';
import { parseDotenv, parseRawEnv } from './dotenv.ts';
import type { Lookup } from './template.ts';
import { displayPath, getKey, isMapping, type Mapping, mappingAt, setKey } from './tree.ts';

/** Fills in variables that are named without a value and known. */
export function resolveEnvironment(file: Mapping, lookup: Lookup): Mapping {
  const services: Mapping = {};
  for (const [name, service] of Object.entries(mappingAt(file, 'services'))) {
    const environment = isMapping(service) ? getKey(service, 'environment') : undefined;
    if (!isMapping(service) || environment === undefined) {
      setKey(services, name, service);
      continue;
    }
    let resolved = environment;
    if (Array.isArray(environment)) {
      resolved = environment.map((item) => {
        if (typeof item !== 'string' || item.includes('=')) return item;
        const value = lookup(item);
        return value === undefined ? item : `${item}=${value}`;
      });
    } else if (isMapping(environment)) {
      const filled: Mapping = {};
      for (const [key, value] of Object.entries(environment)) setKey(filled, key, value ?? lookup(key) ?? null);
      resolved = filled;
    }
    setKey(services, name, { ...service, environment: resolved });
  }
  return 'services' in file ? { ...file, services } : file;
}

/** Reads the env and label files of the enabled services. Throws ComposeError for a required one that is missing. */
export async function readServiceFiles(
  project: ComposeProject,
  environment: Readonly<Record<string, string>>,
  context: LoadContext,
): Promise<ComposeProject> {
  const services: Record<string, Service> = {};
  for (const [name, service] of Object.entries(project.services)) {
    const withEnvironment = await readEnvFiles(name, service, environment, context);
    services[name] = await readLabelFiles(name, withEnvironment, context);
  }
  return { ...project, services };
}

async function readEnvFiles(
  name: string,
  service: Service,
  environment: Readonly<Record<string, string>>,
  context: LoadContext,
): Promise<Service> {
  if (service.env_file === undefined) return service;
  const lookup: Lookup = (key) => lookupIn(environment)(key) ?? service.environment?.[key] ?? undefined;
  const fromFiles: Record<string, string> = {};
  for (const [index, { path, required, format }] of service.env_file.entries()) {
    const where = displayPath(['services', name, 'env_file', index]);
    let text: string;
    try {
      text = decodeText(await context.readFile(path), path);
    } catch (error) {
      if (required === false && isMissing(error)) continue;
      throw error instanceof ComposeError ? error : readError(error, path, 'env file').with({ path: where });
    }
    if (format !== undefined && format !== 'raw')
      throw new ComposeError(`unknown format ${JSON.stringify(format)}`, { path: `${where}.format`, next: 'raw, or leave it out' });
    Object.assign(fromFiles, format === 'raw' ? parseRawEnv(text, lookup, path) : parseDotenv(text, lookup, path));
  }
  const { env_file, ...rest } = service;
  const merged = { ...fromFiles, ...service.environment };
  const kept = context.options.discardEnvFiles === true ? rest : { ...rest, env_file };
  return Object.keys(merged).length === 0 ? kept : { ...kept, environment: merged };
}

async function readLabelFiles(name: string, service: Service, context: LoadContext): Promise<Service> {
  const files = service.label_file;
  if (!Array.isArray(files)) return service;
  const labels: Record<string, string> = {};
  for (const [index, path] of files.entries()) {
    try {
      Object.assign(
        labels,
        parseDotenv(await context.readText(String(path), 'label file'), () => undefined, String(path)),
      );
    } catch (error) {
      throw error instanceof ComposeError ? error.with({ path: displayPath(['services', name, 'label_file', index]) }) : error;
    }
  }
  const { label_file, ...rest } = service;
  const merged = { ...labels, ...service.labels };
  const kept = context.options.discardEnvFiles === true ? rest : { ...rest, label_file };
  return Object.keys(merged).length === 0 ? kept : { ...kept, labels: merged };
}
