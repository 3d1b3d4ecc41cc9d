/**
 * What Berth does about each kind and each field of a pod, as text for docs/compatibility.md: written from the tables that the server itself goes by.
 */

import type { AnyKind } from './kind.ts';
import { apiVersionOf } from './object.ts';
import { podFields } from './pod-spec/pod-fields.ts';
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
reply says so. All fields that are not named are honoured.

| Field | Berth | Why |
|---|---|---|
${renderFields().join('\n')}
`;
}

function servedAs(kind: AnyKind): string {
  return kind.versions.map((version) => `\`${apiVersionOf({ group: version.group ?? kind.group, version: version.version })}\``).join(', ');
}

/** One line for each field that is not simply honoured, by its path; each type is told of where it comes first. */
function renderFields(): string[] {
  const lines: string[] = [];
  const seen = new Set<string>();
  const waiting: [typeName: string, path: string][] = [['core.v1.PodSpec', 'spec']];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [typeName, path] = next;
    const type = typeTable.find(typeName);
    if (type === undefined || seen.has(typeName)) continue;
    seen.add(typeName);
    for (const field of type.fields) {
      const line = podFields[typeName]?.[field.name];
      const at = `${path}.${field.name}${field.shape === 'list' ? '[]' : ''}`;
      if (line === undefined) continue;
      if (line.support === 'honoured') waiting.push([field.type, at]);
      else {
        const word = line.support === 'warned' ? 'warned of' : 'refused';
        lines.push(`| \`${at}\` | ${word}${line.values === undefined ? '' : ` (${line.values})`} | ${line.reason ?? ''} |`);
      }
    }
  }
  return lines.toSorted();
}
