/**
 * A table that changes in place on a terminal, and plain lines, one for each change, elsewhere (a log, a pipe, `NO_COLOR` or not).
 */
import picocolors from 'picocolors';
import { printable, renderTable, type TextTable } from './text-table.ts';
import type { VerbContext } from './verb.ts';

export interface ProgressRow {
  readonly name: string;
  readonly ready: string;
  readonly state: string;
  readonly message: string;
  readonly tone: 'good' | 'waiting' | 'bad';
}

export class ProgressTable {
  readonly #out: VerbContext['stderr'];
  readonly #live: boolean;
  readonly #paint: ReturnType<typeof picocolors.createColors>;
  #drawn = 0;
  readonly #last = new Map<string, string>();

  constructor(context: Pick<VerbContext, 'stderr' | 'environment'>) {
    this.#out = context.stderr;
    this.#live = context.stderr.isTTY === true && context.environment.TERM !== 'dumb';
    const plain = context.environment.NO_COLOR !== undefined && context.environment.NO_COLOR !== '';
    this.#paint = picocolors.createColors(this.#live && !plain);
  }

  show(rows: readonly ProgressRow[]): void {
    if (!this.#live) {
      for (const row of rows) {
        const text = `${row.name}: ${row.ready} ${row.state}${row.message === '' ? '' : ` (${row.message})`}`;
        if (this.#last.get(row.name) !== text) this.#out.write(`${printable(text)}\n`);
        this.#last.set(row.name, text);
      }
      return;
    }
    const width = Math.max(20, (this.#out.columns ?? 80) - 1);
    const table: TextTable = {
      headers: ['name', 'ready', 'state', 'message'],
      rows: rows.map((row) => [row.name, row.ready, row.state, row.message]),
    };
    const lines = renderTable(table).map((line, index) => {
      const cut = Array.from(line).slice(0, width).join('');
      const tone = rows[index - 1]?.tone;
      return tone === 'good'
        ? this.#paint.green(cut)
        : tone === 'bad'
          ? this.#paint.red(cut)
          : tone === 'waiting'
            ? this.#paint.yellow(cut)
            : this.#paint.bold(cut);
    });
    const back = this.#drawn > 0 ? `\u001b[${this.#drawn}A\u001b[0J` : '';
    this.#out.write(`${back}${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}
