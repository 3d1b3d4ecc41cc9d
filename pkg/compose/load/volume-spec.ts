/** The short form of a mount: `[source:]target[:options]`, where a source or target may begin with a drive letter or hold `${VAR:-default}`. */
import { ComposeError } from '../compose-error.ts';
import type { ServiceVolume } from '../model.ts';

const propagations = new Set(['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave']);

/** Throws ComposeError for an empty section or too many. Unknown options are dropped, as Compose does. */
export function parseVolumeSpec(spec: string): ServiceVolume {
  if (spec === '') throw new ComposeError('invalid volume: the empty string');
  // A path of one or two characters is a target, never split: "." or "d:".
  if (spec.length <= 2) return { type: 'volume', target: spec };
  const sections = split(spec);
  if (sections.some((section) => section === ''))
    throw new ComposeError(`invalid volume ${JSON.stringify(spec)}: empty section between colons`);
  const [first, second, options, ...more] = sections as [string, ...string[]];
  if (more.length > 0) {
    throw new ComposeError(`invalid volume ${JSON.stringify(spec)}: more than three sections`, {
      next: 'use the long form (type, source, target)',
    });
  }
  if (second === undefined) return { type: 'volume', target: first, volume: {} };
  const bind = isFilePath(first);
  const volume: ServiceVolume = { type: bind ? 'bind' : 'volume', source: first, target: second };
  if (bind) volume.bind = { create_host_path: true };
  else volume.volume = {};
  for (const option of options?.split(',') ?? []) {
    if (option.toLowerCase() === 'ro') volume.read_only = true;
    else if (option === 'nocopy' && volume.volume !== undefined) volume.volume.nocopy = true;
    else if ((option === 'z' || option === 'Z') && volume.bind !== undefined) volume.bind.selinux = option;
    else if (propagations.has(option) && volume.bind !== undefined) volume.bind.propagation = option;
  }
  return volume;
}

function split(spec: string): string[] {
  const sections: string[] = [];
  let section = '';
  let braces = 0;
  for (let at = 0; at < spec.length; at++) {
    const char = spec[at] ?? '';
    if (char === '$' && spec[at + 1] === '{') braces++;
    else if (char === '}' && braces > 0) braces--;
    if (char !== ':' || braces > 0 || isDriveColon(section)) {
      section += char;
      continue;
    }
    sections.push(section);
    section = '';
  }
  return [...sections, section];
}

/** One letter and a colon at the start of a section is a drive, as Compose has it, even where a volume of that name was meant. */
function isDriveColon(section: string): boolean {
  return /^[A-Za-z]$/.test(section);
}

export function isFilePath(source: string): boolean {
  return /^[./~]/.test(source) || isWindowsPath(source);
}

/** `C:\dir` or `\\server\share`. */
export function isWindowsPath(path: string): boolean {
  return /^[A-Za-z]:[\\/]/.test(path) || path.startsWith('\\\\');
}
