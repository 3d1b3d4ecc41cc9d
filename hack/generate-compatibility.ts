/** Writes docs/compatibility.md from the tables that the server and the Compose loader go by. Run from the repository's root. */
import { writeFileSync } from 'node:fs';
import { renderCompatibility } from '../pkg/api/compatibility.ts';
import { kinds } from '../pkg/api/kinds/index.ts';
import { renderComposeCompatibility } from '../pkg/compose/compatibility.ts';

const opening = `# What Berth does with what it is given

Written by hack/generate-compatibility.ts from the tables in the code; do not edit. Nothing is ignored in silence: what is not honoured is refused by its path,
or warned of where that is harmless.
`;

writeFileSync('docs/compatibility.md', [opening, renderCompatibility(kinds), renderComposeCompatibility()].join('\n'));
