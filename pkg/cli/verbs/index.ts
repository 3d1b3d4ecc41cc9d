/** Every verb, in the order in which `berth --help` lists them. */
import type { Verb } from '../verb.ts';
import { versionVerb } from './version.ts';

export const verbs: readonly Verb[] = [versionVerb];
