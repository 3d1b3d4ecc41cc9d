/**
 * The canonical Compose model: one form for everything that a file may write in several, with every default that does not depend on a node filled in.
 * This JSON is `Stack.spec`. Fields are spelt as in Compose files; absent means not given. Durations are Go's (`1m30s`), sizes decimal bytes in a string,
 * file modes octal in a string (`0440`).
 */

export interface ComposeProject {
  name?: string;
  services: Record<string, Service>;
  networks?: Record<string, Network>;
  volumes?: Record<string, Volume>;
  secrets?: Record<string, FileObject>;
  configs?: Record<string, FileObject>;
  models?: Record<string, unknown>;
  [extension: `x-${string}`]: unknown;
}

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface Dependency {
  condition: DependencyCondition;
  required: boolean;
  restart?: boolean;
}

export interface ServicePort {
  name?: string;
  mode?: string;
  host_ip?: string;
  target?: number;
  /** A port, or a range `8000-8010` of which one is free. */
  published?: string;
  protocol?: string;
  app_protocol?: string;
}

export interface ServiceVolume {
  type: string;
  source?: string;
  target?: string;
  read_only?: boolean;
  consistency?: string;
  bind?: { propagation?: string; create_host_path?: boolean; selinux?: string; recursive?: string };
  volume?: { nocopy?: boolean; subpath?: string; labels?: Record<string, string> };
  tmpfs?: { size?: string; mode?: string | number };
  image?: { subpath?: string };
}

/** A config or a secret in a service. */
export interface FileMount {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  mode?: string;
}

export interface HealthCheck {
  /** `["CMD", …]`, `["CMD-SHELL", script]` or `["NONE"]`. */
  test?: string[];
  interval?: string;
  timeout?: string;
  retries?: number;
  start_period?: string;
  start_interval?: string;
  disable?: boolean;
}

export interface Resource {
  cpus?: number;
  /** Bytes. */
  memory?: string;
  pids?: number;
  devices?: unknown[];
  generic_resources?: unknown[];
}

export interface Deploy {
  mode?: string;
  endpoint_mode?: string;
  replicas?: number;
  labels?: Record<string, string>;
  placement?: { constraints?: string[]; preferences?: { spread?: string }[]; max_replicas_per_node?: number };
  resources?: { limits?: Resource; reservations?: Resource };
  restart_policy?: { condition?: string; delay?: string; max_attempts?: number; window?: string };
  update_config?: UpdateConfig;
  rollback_config?: UpdateConfig;
}

export interface UpdateConfig {
  parallelism?: number;
  delay?: string;
  failure_action?: string;
  monitor?: string;
  max_failure_ratio?: number;
  order?: string;
}

export interface ServiceNetwork {
  aliases?: string[];
  [other: string]: unknown;
}

/** Only what Berth honours is spelt out; what it refuses or warns of is there too, under its name. */
export interface Service {
  image?: string;
  command?: string[] | null;
  entrypoint?: string[] | null;
  /** null: the variable is not set where the file was loaded, and is left out. */
  environment?: Record<string, string | null>;
  env_file?: { path: string; required?: boolean; format?: string }[];
  ports?: ServicePort[];
  expose?: string[];
  volumes?: ServiceVolume[];
  tmpfs?: string[];
  depends_on?: Record<string, Dependency>;
  healthcheck?: HealthCheck;
  restart?: string;
  configs?: FileMount[];
  secrets?: FileMount[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  networks?: Record<string, ServiceNetwork | null>;
  network_mode?: string;
  links?: string[];
  dns_opt?: string[];
  dns_search?: string[];
  /** `name=address`. */
  extra_hosts?: string[];
  user?: string;
  group_add?: string[];
  working_dir?: string;
  hostname?: string;
  container_name?: string;
  stop_grace_period?: string;
  stop_signal?: string;
  read_only?: boolean;
  cap_add?: string[];
  cap_drop?: string[];
  privileged?: boolean;
  security_opt?: string[];
  sysctls?: Record<string, string>;
  tty?: boolean;
  stdin_open?: boolean;
  scale?: number;
  pull_policy?: string;
  platform?: string;
  profiles?: string[];
  cpus?: number;
  mem_limit?: string;
  mem_reservation?: string;
  shm_size?: string;
  pid?: string;
  ipc?: string;
  deploy?: Deploy;
  build?: unknown;
  [other: string]: unknown;
}

export interface Network {
  name?: string;
  external?: boolean;
  driver?: string;
  ipam?: Record<string, unknown>;
  labels?: Record<string, string>;
  [other: string]: unknown;
}

export interface Volume {
  name?: string;
  external?: boolean;
  driver?: string;
  driver_opts?: Record<string, string>;
  labels?: Record<string, string>;
  [other: string]: unknown;
}

/** A config or secret of the project. In a Stack, `object` has taken the place of file, environment and content. */
export interface FileObject {
  name?: string;
  external?: boolean;
  file?: string;
  environment?: string;
  content?: string;
  labels?: Record<string, string>;
  /** The ConfigMap or Secret in the Stack's namespace that holds the content; hash-named, so that new content is a new name. */
  object?: string;
  [other: string]: unknown;
}
