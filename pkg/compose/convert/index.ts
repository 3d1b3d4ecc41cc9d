/** The sections of a service, in the order in which they add to its pods and Services. One line here adds one. */
import { command } from './command.ts';
import { environment } from './environment.ts';
import { files } from './files.ts';
import { healthcheck } from './healthcheck.ts';
import { image } from './image.ts';
import { labels } from './labels.ts';
import { networks } from './networks.ts';
import { placement } from './placement.ts';
import { ports } from './ports.ts';
import { resources } from './resources.ts';
import { restart } from './restart.ts';
import type { Section } from './section.ts';
import { security } from './security.ts';
import { stop } from './stop.ts';
import { volumes } from './volumes.ts';

export const sections: readonly Section[] = [
  image,
  command,
  environment,
  labels,
  networks,
  ports,
  volumes,
  files,
  healthcheck,
  restart,
  stop,
  resources,
  placement,
  security,
];
