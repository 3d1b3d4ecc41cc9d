import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { sections } from './convert/index.ts';
import { composeKeys } from './keys.ts';

interface Schema {
  readonly $ref?: string;
  readonly $defs?: Record<string, Schema>;
  readonly definitions?: Record<string, Schema>;
  readonly properties?: Record<string, Schema>;
  readonly patternProperties?: Record<string, Schema>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly oneOf?: Schema[];
  readonly anyOf?: Schema[];
  readonly allOf?: Schema[];
}

const schemaFile = join(dirname(createRequire(import.meta.url).resolve('dclint/package.json')), 'schemas', 'compose.schema.json');
const schema = JSON.parse(readFileSync(schemaFile, 'utf8')) as Schema;
const table = new Map(composeKeys.map((key) => [key.path, key]));

/** Every key of the published schema, by path; names that the user gives are `*`. */
function keysOf(node: Schema, path: string, found: Set<string>, depth = 0): Set<string> {
  if (depth > 20) return found;
  if (node.$ref !== undefined) {
    const [, group = '', name = ''] = node.$ref.split('/');
    const target = (schema as Record<string, Record<string, Schema>>)[group]?.[name];
    if (target === undefined) throw new Error(`no ${node.$ref}`);
    return keysOf(target, path, found, depth + 1);
  }
  for (const part of [...(node.oneOf ?? []), ...(node.anyOf ?? []), ...(node.allOf ?? [])]) keysOf(part, path, found, depth + 1);
  if (node.items !== undefined) keysOf(node.items, path, found, depth + 1);
  const named: [string, Schema][] = Object.entries(node.properties ?? {});
  for (const [pattern, value] of Object.entries(node.patternProperties ?? {})) if (pattern !== '^x-') named.push(['*', value]);
  if (typeof node.additionalProperties === 'object') named.push(['*', node.additionalProperties]);
  for (const [key, value] of named) {
    const child = path === '' ? key : `${path}.${key}`;
    found.add(child);
    keysOf(value, child, found, depth + 1);
  }
  return found;
}

/** Keys of the user's own inside of a mapping that the table takes as one value (labels, options) are no keys of Compose. */
function isUsersOwn(path: string): boolean {
  const parent = table.get(path.replace(/\.\*$/, ''));
  return path.endsWith('.*') && parent !== undefined && /dict|map/.test(parent.values);
}

describe('the table of keys', () => {
  test('has every key of the published schema', () => {
    const keys = [...keysOf(schema, '', new Set())];
    expect(keys.length).toBeGreaterThan(350);
    expect(keys.filter((path) => !table.has(path) && !isUsersOwn(path))).toEqual([]);
  });

  test('has each key once, after the one that it belongs to', () => {
    expect(table.size).toBe(composeKeys.length);
    const seen = new Set<string>();
    for (const { path } of composeKeys) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')));
      expect(parent === '' || seen.has(parent) ? '' : path).toBe('');
      seen.add(path);
    }
  });

  test('gives a reason for whatever is not honoured', () => {
    expect(composeKeys.filter(({ support, reason }) => support !== 'honoured' && reason === '')).toEqual([]);
  });

  test('what it honours of a service is read by a section, or before there are sections', () => {
    // Worked in by the loader, or read by the stack itself.
    const elsewhere = ['extends', 'profiles', 'depends_on', 'scale', 'deploy.mode', 'deploy.replicas', 'deploy.update_config'];
    const read = new Set([...sections.flatMap(({ keys }) => keys), ...elsewhere]);
    const honoured = composeKeys
      .filter(({ path, support }) => support === 'honoured' && /^services\.\*\.([a-z_]+|deploy\.[a-z_]+)$/.test(path))
      .map(({ path }) => path.slice('services.*.'.length))
      .filter((key) => key !== 'deploy');
    expect(honoured.filter((key) => !read.has(key))).toEqual([]);
    expect([...read].filter((key) => !honoured.includes(key))).toEqual([]);
  });
});
