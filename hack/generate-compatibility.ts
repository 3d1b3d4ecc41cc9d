/**
 * Writes docs/compatibility.md from the tables that the server and the Compose loader go by, and from what real kubectls were seen to do
 * (test/e2e/kubectl-matrix). Run from the repository's root.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { renderCompatibility } from '../pkg/api/compatibility.ts';
import { kinds } from '../pkg/api/kinds/index.ts';
import { renderComposeCompatibility } from '../pkg/compose/compatibility.ts';

const opening = `# What Berth does with what it is given

Written by hack/generate-compatibility.ts from the tables in the code; do not edit. Nothing is ignored in silence: what is not honoured is refused by its path,
or warned of where that is harmless.
`;

const requests = `## Requests

Lists, gets, watches, patches, deletions of many and dry runs follow Kubernetes' rules and words: \`resourceVersion\`, \`resourceVersionMatch\`, \`limit\` and \`continue\`,
bookmarks, \`sendInitialEvents\`, selectors, tables, metadata alone, JSON, YAML and protobuf, watches over HTTP and WebSockets. test/integration/*-rules.test.ts holds them.
What is otherwise:

| | Kubernetes | Berth |
|---|---|---|
| server-side apply | | refused with 415, naming the patches that there are; not yet |
| \`limit\` with \`resourceVersion=0\` | left aside by the watch cache | taken: pages, with \`continue\` |
| a watch from a \`resourceVersion\` that is not there yet | says nothing until it is | ERROR 504 at once, as for lists: the client lists again |
| a deletion with a body, and \`dryRun\` or a grace in the query | the query is left aside | what the body does not say is taken from the query |
| a JSON patch that does not fit | 422 | 422, with the path and the reason as its cause |
| a patch of another \`metadata.uid\` | 422 | 409 |
`;

interface KubectlRow {
  readonly command: string;
  readonly does: string;
  readonly outcomes: Readonly<Record<string, 'passed' | 'failed' | 'absent'>>;
}

const signs = { passed: '✓', failed: '✗', absent: '–' } as const;

function renderKubectl(rows: readonly KubectlRow[]): string {
  const versions = Object.keys(rows[0]?.outcomes ?? {});
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const inCell = (text: string): string => text.replaceAll('|', '\\|');
  return `## kubectl

What was run, with the real kubectl of each version on a real cluster, and what it did: ✓ as it should, ✗ not, – this version does not have it. It is kept by
test/e2e/kubectl-matrix.test.ts, which runs it, and fails where it sees anything else.

${line(['Command', 'What it must print or change', ...versions])}
${line(['---', '---', ...versions.map(() => ':-:')])}
${rows.map(({ command, does, outcomes }) => line([`\`${inCell(command)}\``, inCell(does), ...versions.map((version) => signs[outcomes[version] ?? 'absent'])])).join('\n')}
`;
}

const rows = JSON.parse(readFileSync('test/e2e/kubectl-matrix/results.json', 'utf8')) as KubectlRow[];
writeFileSync(
  'docs/compatibility.md',
  [opening, renderCompatibility(kinds), requests, renderKubectl(rows), renderComposeCompatibility()].join('\n'),
);
