/**
 * What Berth does about each kind and each field of a pod, as text for docs/compatibility.md: written from the tables that the server itself goes by.
 */

import type { AnyKind } from './kind.ts';
import { apiVersionOf } from './object.ts';
import { type FieldSupport, podFields } from './pod-spec/pod-fields.ts';
import { typeTable } from './schema/type-table.ts';

/** The part of docs/compatibility.md on kinds and pod fields, as Markdown. */
export function renderCompatibility(kinds: readonly AnyKind[]): string {
  return `## Kinds

Every kind below can be created, read, listed, watched, changed and deleted. *Acted on*: something happens by it. *Stored only*: nothing does, yet.

| Kind | Served as | Berth | |
|---|---|---|---|
${kinds
  .toSorted((a, b) => (a.support === b.support ? (a.kind < b.kind ? -1 : 1) : a.support === 'acted on' ? -1 : 1))
  .map((kind) => `| ${kind.kind} | ${servedAs(kind)} | ${kind.support} | ${kind.supportNote ?? ''} |`)
  .join('\n')}

## Fields of a pod

Also in the templates of workloads. *Refused*: an object that has the field is not accepted. *Warned of*: it is accepted, the field has no effect, and the
reply says so. A type that comes back in many places (init containers have the fields of containers) is told of once.

| Field | Berth | Why |
|---|---|---|
${renderFields(unlessHonoured).join('\n')}

Honoured, but for the values above:

| In | Fields |
|---|---|
${renderFields(honoured).join('\n')}
`;
}

function servedAs(kind: AnyKind): string {
  return kind.versions.map((version) => `\`${apiVersionOf({ group: version.group ?? kind.group, version: version.version })}\``).join(', ');
}

/** What to write about a type that stands at `path`: its table's rows. */
type DescribeType = (path: string, fields: readonly [at: string, field: string, support: FieldSupport][]) => string[];

const unlessHonoured: DescribeType = (_, fields) =>
  fields
    .filter(([, , line]) => line.support !== 'honoured')
    .map(([at, , { support, values, reason }]) => {
      const word = support === 'warned' ? 'warned of' : 'refused';
      return `| \`${at}\` | ${word}${values === undefined ? '' : ` (${values})`} | ${reason ?? ''} |`;
    });

const honoured: DescribeType = (path, fields) => {
  const names = fields.filter(([, , line]) => line.support === 'honoured' || line.values !== undefined).map(([, field]) => `\`${field}\``);
  return names.length === 0 ? [] : [`| \`${path}\` | ${names.join(', ')} |`];
};

/** The rows of every type that a pod's spec reaches by fields that are honoured, sorted; each type is told of where it comes first. */
function renderFields(describeType: DescribeType): string[] {
  const rows: string[] = [];
  const seen = new Set<string>();
  const waiting: [typeName: string, path: string][] = [['core.v1.PodSpec', 'spec']];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [typeName, path] = next;
    const type = typeTable.find(typeName);
    if (type === undefined || seen.has(typeName)) continue;
    seen.add(typeName);
    const fields: [at: string, field: string, support: FieldSupport][] = [];
    for (const field of type.fields) {
      const support = podFields[typeName]?.[field.name];
      if (support === undefined) continue;
      const at = `${path}.${field.name}${field.shape === 'list' ? '[]' : ''}`;
      fields.push([at, field.name, support]);
      if (support.support === 'honoured') waiting.push([field.type, at]);
    }
    rows.push(...describeType(path, fields));
  }
  return rows.toSorted();
}
