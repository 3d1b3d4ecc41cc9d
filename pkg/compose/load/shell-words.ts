import { ComposeError } from '../compose-error.ts';

/** Splits a command line into words as a shell does: quotes, backslashes, nothing expanded. Throws ComposeError for an open quote. */
export function splitShellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (char === '\\' && quote === '"' && at + 1 < line.length && '"\\$`\n'.includes(line[at + 1] ?? ''))
        word = `${word ?? ''}${line[++at]}`;
      else word = `${word ?? ''}${char}`;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === '\\') {
      if (at + 1 >= line.length) throw new ComposeError(`the command line ends in a backslash: ${line}`);
      word = `${word ?? ''}${line[++at]}`;
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = `${word ?? ''}${char}`;
    }
  }
  if (quote !== '') throw new ComposeError(`the command line has an open ${quote}: ${line}`);
  if (word !== undefined) words.push(word);
  return words;
}
