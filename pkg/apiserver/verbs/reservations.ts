import type { Revision } from '#storage/backend';
import type { Extra, ExtraCompareError } from '#storage/store';
import type { Reservation } from '../admission/admission.ts';

/** How often admission runs again because something that it reserved was taken in between. */
export const maximumAttempts = 16;

/** What admission steps want in the object's commit besides the object; the last word on a key counts. */
export class Reservations {
  readonly #byKey = new Map<string, Reservation>();

  add(reservation: Reservation): void {
    this.#byKey.set(reservation.key, reservation);
  }

  /** Tells those who wait for it that the commit has been decided. */
  finish(): void {
    for (const reservation of this.#byKey.values()) reservation.done?.();
  }

  releaseAll(keys: readonly string[]): void {
    for (const key of keys) this.add({ key, value: 'delete' });
  }

  toExtra(): Extra {
    if (this.#byKey.size === 0) return {};
    const compare: { key: string; revision: Revision }[] = [];
    const ops: NonNullable<Extra['ops']>[number][] = [];
    for (const { key, revision, value } of this.#byKey.values()) {
      if (revision !== undefined) compare.push({ key, revision });
      if (value === 'delete') ops.push({ type: 'delete', key });
      else if (value !== undefined) ops.push({ type: 'put', key, value });
    }
    return { compare, ops };
  }

  /** Throws what the first reservation that was taken says; returns if the whole may be tried again. */
  judge(error: ExtraCompareError): void {
    const compared = [...this.#byKey.values()].filter((one) => one.revision !== undefined);
    for (const [index, reservation] of compared.entries()) {
      const current = error.current[index]?.revision ?? 0;
      if (current !== reservation.revision && reservation.taken !== undefined) throw reservation.taken;
    }
  }

  /** Throws what a reservation says that is already taken: what a commit would do, for dry runs. */
  async check(revisionOf: (key: string) => Promise<Revision>): Promise<void> {
    for (const { key, revision, taken } of this.#byKey.values()) {
      if (taken !== undefined && revision !== undefined && (await revisionOf(key)) !== revision) throw taken;
    }
  }
}
