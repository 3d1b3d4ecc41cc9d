/** What Berth does about each key of a Compose file, as text for docs/compatibility.md: written from the table of keys that the loader goes by. */
import { composeKeys } from './keys.ts';

/** The part of docs/compatibility.md on Compose, as Markdown. Keys inside of one that is refused or warned of are left to it. */
export function renderComposeCompatibility(): string {
  const rows: string[] = [];
  const closed: string[] = [];
  for (const { path, support, reason } of composeKeys) {
    if (closed.some((outer) => path.startsWith(`${outer}.`))) continue;
    if (support !== 'honoured') closed.push(path);
    if (path.includes('*.') || !path.endsWith('*')) rows.push(`| \`${path}\` | ${support} | ${reason.replaceAll('|', '\\|')} |`);
  }
  return `## Keys of a Compose file

*Refused*: the file is not applied, and the message names the key, its place and the reason. *Warned of*: it has no effect, and \`berth apply\` says so.
\`*\` is a name of yours. A key that is not listed is refused by its name; keys that begin with \`x-\` are yours.

| Key | Berth | |
|---|---|---|
${rows.join('\n')}
`;
}
