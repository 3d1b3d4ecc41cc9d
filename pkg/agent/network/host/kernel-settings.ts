/**
 * Kernel settings that the network needs and the machine may have otherwise. Invariant: what a setting was before is on disk before it is
 * changed, so that it can be put back, by whichever process, however this one ended.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '#base/errors';

/** By path below /proc/sys, e.g. `net/ipv4/ip_forward`. */
export type KernelSettings = Readonly<Record<string, string>>;

/** Sets what differs; a setting that this kernel does not have is left out and named in the result. */
export function changeKernelSettings(record: string, wanted: KernelSettings, root = '/proc/sys'): readonly string[] {
  const missing: string[] = [];
  for (const [name, value] of Object.entries(wanted)) {
    const path = join(root, name);
    if (!existsSync(path)) {
      missing.push(name);
      continue;
    }
    const current = readFileSync(path, 'utf8').trim();
    if (current === value) continue;
    const before = readRecord(record);
    // The first value that was found is the machine's own.
    if (!(name in before)) writeRecord(record, { ...before, [name]: current });
    writeFileSync(path, value);
  }
  return missing;
}

/** Puts everything back that `changeKernelSettings` changed, and forgets it. */
export function restoreKernelSettings(record: string, root = '/proc/sys'): void {
  for (const [name, value] of Object.entries(readRecord(record))) {
    const path = join(root, name);
    if (existsSync(path)) writeFileSync(path, value);
  }
  rmSync(record, { force: true });
}

function readRecord(record: string): KernelSettings {
  try {
    return JSON.parse(readFileSync(record, 'utf8')) as KernelSettings;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return {};
    throw error;
  }
}

function writeRecord(record: string, settings: KernelSettings): void {
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(record, `${JSON.stringify(settings, undefined, 2)}\n`);
}
