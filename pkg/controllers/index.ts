/** The controllers of a server, in the order in which they are made. One line here adds one. */
import type { Runnable } from '#base/lifecycle';
import type { Controller, ControllerEnvironment } from './controller.ts';
import { deployment } from './deployment/deployment.ts';
import { replicaset } from './replicaset/replicaset.ts';

export const controllers: readonly Controller[] = [deployment, replicaset];

/** All controllers, to be run beside `environment.informers`, which the caller runs. */
export function createControllers(environment: ControllerEnvironment, list: readonly Controller[] = controllers): Runnable[] {
  return list.map((controller) => controller.create(environment));
}
