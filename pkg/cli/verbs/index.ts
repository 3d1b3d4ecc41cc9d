/** Every verb, in the order in which `berth --help` lists them. */
import type { Verb } from '../verb.ts';
import { applyVerb } from './apply.ts';
import { deleteVerb } from './delete.ts';
import { describeVerb } from './describe.ts';
import { eventsVerb } from './events.ts';
import { execVerb } from './exec.ts';
import { getVerb } from './get.ts';
import { imageVerb } from './image.ts';
import { logsVerb } from './logs.ts';
import { scaleVerb } from './scale.ts';
import { tokenVerb } from './token.ts';
import { versionVerb } from './version.ts';
import { whyVerb } from './why.ts';

export const verbs: readonly Verb[] = [
  applyVerb,
  getVerb,
  describeVerb,
  deleteVerb,
  logsVerb,
  execVerb,
  scaleVerb,
  eventsVerb,
  imageVerb,
  tokenVerb,
  whyVerb,
  versionVerb,
];
