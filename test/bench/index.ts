/** Every bench, in the order in which hack/bench runs them. */

import * as api from './api.ts';
import type { Bench } from './bench.ts';
import * as etcd from './etcd.ts';
import * as lists from './lists.ts';
import * as overload from './overload.ts';
import * as podStart from './pod-start.ts';
import * as processes from './processes.ts';
import * as scheduler from './scheduler.ts';
import * as startUp from './start-up.ts';
import * as storage from './storage.ts';
import * as watchers from './watchers.ts';

export const benches: readonly Bench[] = [storage, etcd, api, scheduler, podStart, processes, startUp, lists, watchers, overload];
