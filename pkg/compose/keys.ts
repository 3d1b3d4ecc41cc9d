/**
 * Every key of a Compose file, one a line: its path, the values that it takes, and what Berth does with it. The loader checks files against the second
 * column, `checkSupport` (support.ts) refuses and warns by the third, docs/compatibility.md is written from it, and a test compares it with the published schema.
 *
 * path      `*` is a name that the user gives; items of a list have the list's path
 * values    alternatives by `|`: string, number, integer, boolean, null, list<…>, enum(a,b), dict (KEY: scalar, or a list of KEY=value), map (its keys are
 *           the lines below it; free where there are none). `a!` after a map: the key a is required
 * support   honoured, refused or warned (accepted and without effect), then the reason. A refused boolean may be false.
 */

export type Support = 'honoured' | 'refused' | 'warned';

export interface ComposeKey {
  readonly path: string;
  readonly values: string;
  readonly support: Support;
  /** Why it is refused, or what the warning says; empty where honoured without more to say. */
  readonly reason: string;
}

const build = 'warned    | Berth builds no images: the image of the service is used as it is';
const swap = 'refused   | the nodes account for memory only: set mem_limit';
const throttle = 'refused   | block I/O limits cannot be set on a pod yet';
const realtime = 'refused   | real-time CPU scheduling cannot be set on a pod';
const model = 'refused   | Berth runs no AI models: run the model as a service';
const watching = 'warned    | a development loop on one machine: a pool of servers does not watch source files';
const hook = 'refused   | hooks of a service are not run yet';
const devices = 'refused   | devices cannot be given to a container yet';
const addressing = 'refused   | addresses on the network are given by the nodes';
const linux = 'refused   | for Windows containers; nodes run Linux';
const driver = 'refused   | nodes have one kind of network and no drivers';
const swarm = 'refused   | rolling updates stop one replica after the other; other settings are not honoured yet';
const external = 'refused   | the nodes do not reach a store of secrets or configs outside of the cluster';

const table = `
version                                   | string                               | warned    | obsolete and ignored: remove it
name                                      | string                               | honoured
include                                   | list<string|map>                     | honoured
include.path                              | string|list<string>                  | honoured
include.env_file                          | string|list<string>                  | honoured
include.project_directory                 | string                               | honoured
services                                  | map                                  | honoured
models                                    | map                                  | warned    | have no effect: Berth runs no AI models
networks                                  | map                                  | honoured
volumes                                   | map                                  | honoured
secrets                                   | map                                  | honoured
configs                                   | map                                  | honoured

services.*                                | map                                  | honoured
services.*.annotations                    | dict                                 | honoured
services.*.attach                         | boolean                              | warned    | output is not collected on apply: see berth logs
services.*.blkio_config                   | map                                  | ${throttle}
services.*.blkio_config.device_read_bps   | list<map>                            | ${throttle}
services.*.blkio_config.device_read_bps.path | string                            | ${throttle}
services.*.blkio_config.device_read_bps.rate | integer|string                    | ${throttle}
services.*.blkio_config.device_read_iops  | list<map>                            | ${throttle}
services.*.blkio_config.device_read_iops.path | string                           | ${throttle}
services.*.blkio_config.device_read_iops.rate | integer|string                   | ${throttle}
services.*.blkio_config.device_write_bps  | list<map>                            | ${throttle}
services.*.blkio_config.device_write_bps.path | string                           | ${throttle}
services.*.blkio_config.device_write_bps.rate | integer|string                   | ${throttle}
services.*.blkio_config.device_write_iops | list<map>                            | ${throttle}
services.*.blkio_config.device_write_iops.path | string                          | ${throttle}
services.*.blkio_config.device_write_iops.rate | integer|string                  | ${throttle}
services.*.blkio_config.weight            | integer|string                       | ${throttle}
services.*.blkio_config.weight_device     | list<map>                            | ${throttle}
services.*.blkio_config.weight_device.path | string                              | ${throttle}
services.*.blkio_config.weight_device.weight | integer|string                    | ${throttle}
services.*.build                          | string|map                           | ${build}
services.*.build.additional_contexts      | dict                                 | ${build}
services.*.build.args                     | dict                                 | ${build}
services.*.build.cache_from               | list<string>                         | ${build}
services.*.build.cache_to                 | list<string>                         | ${build}
services.*.build.context                  | string                               | ${build}
services.*.build.dockerfile               | string                               | ${build}
services.*.build.dockerfile_inline        | string                               | ${build}
services.*.build.entitlements             | list<string>                         | ${build}
services.*.build.extra_hosts              | dict                                 | ${build}
services.*.build.isolation                | string                               | ${build}
services.*.build.labels                   | dict                                 | ${build}
services.*.build.network                  | string                               | ${build}
services.*.build.no_cache                 | boolean                              | ${build}
services.*.build.no_cache_filter          | string|list<string>                  | ${build}
services.*.build.platforms                | list<string>                         | ${build}
services.*.build.privileged               | boolean                              | ${build}
services.*.build.provenance               | string|boolean                       | ${build}
services.*.build.pull                     | boolean                              | ${build}
services.*.build.sbom                     | string|boolean                       | ${build}
services.*.build.secrets                  | list<string|map>                     | ${build}
services.*.build.secrets.gid              | string                               | ${build}
services.*.build.secrets.mode             | number|string                        | ${build}
services.*.build.secrets.source           | string                               | ${build}
services.*.build.secrets.target           | string                               | ${build}
services.*.build.secrets.uid              | string                               | ${build}
services.*.build.shm_size                 | integer|string                       | ${build}
services.*.build.ssh                      | string|dict                          | ${build}
services.*.build.tags                     | list<string>                         | ${build}
services.*.build.target                   | string                               | ${build}
services.*.build.ulimits                  | map                                  | ${build}
services.*.build.ulimits.*                | integer|string|map                   | ${build}
services.*.build.ulimits.*.hard           | integer|string                       | ${build}
services.*.build.ulimits.*.soft           | integer|string                       | ${build}
services.*.cap_add                        | list<string>                         | honoured
services.*.cap_drop                       | list<string>                         | honoured
services.*.cgroup                         | enum(host,private)                   | honoured  | private; host is refused
services.*.cgroup_parent                  | string                               | refused   | the node keeps each pod in a cgroup of its own
services.*.command                        | string|list<string>|null             | honoured
services.*.configs                        | list<string|map>                     | honoured
services.*.configs.gid                    | string                               | warned    | the file belongs to root: choose a mode that its reader may read
services.*.configs.mode                   | number|string                        | honoured
services.*.configs.source                 | string                               | honoured
services.*.configs.target                 | string                               | honoured
services.*.configs.uid                    | string                               | warned    | the file belongs to root: choose a mode that its reader may read
services.*.container_name                 | string                               | honoured  | one more name on the networks of the service
services.*.cpu_count                      | integer|string                       | ${linux}
services.*.cpu_percent                    | number|string                        | ${linux}
services.*.cpu_period                     | number|string                        | refused   | set cpus instead
services.*.cpu_quota                      | number|string                        | refused   | set cpus instead
services.*.cpu_rt_period                  | number|string                        | ${realtime}
services.*.cpu_rt_runtime                 | number|string                        | ${realtime}
services.*.cpu_shares                     | number|string                        | warned    | shares follow from deploy.resources.reservations.cpus
services.*.cpus                           | number|string                        | honoured
services.*.cpuset                         | string                               | refused   | CPUs cannot be pinned yet
services.*.credential_spec                | map                                  | ${linux}
services.*.credential_spec.config         | string                               | ${linux}
services.*.credential_spec.file           | string                               | ${linux}
services.*.credential_spec.registry       | string                               | ${linux}
services.*.depends_on                     | list<string>|map                     | honoured
services.*.depends_on.*                   | map condition!                       | honoured
services.*.depends_on.*.condition         | enum(service_started,service_healthy,service_completed_successfully) | honoured
services.*.depends_on.*.required          | boolean                              | honoured
services.*.depends_on.*.restart           | boolean                              | warned    | a service is not restarted because one that it depends on was changed
services.*.deploy                         | map|null                             | honoured
services.*.deploy.endpoint_mode           | string                               | honoured  | dnsrr, which is what names give; vip is warned of
services.*.deploy.labels                  | dict                                 | honoured
services.*.deploy.mode                    | string                               | honoured  | replicated; others are refused
services.*.deploy.placement               | map                                  | honoured
services.*.deploy.placement.constraints   | list<string>                         | honoured
services.*.deploy.placement.max_replicas_per_node | integer|string               | refused   | replicas are spread over nodes, without a maximum yet
services.*.deploy.placement.preferences   | list<map>                            | warned    | replicas are spread over nodes in any case
services.*.deploy.placement.preferences.spread | string                          | warned    | replicas are spread over nodes in any case
services.*.deploy.replicas                | integer|string                       | honoured
services.*.deploy.resources               | map                                  | honoured
services.*.deploy.resources.limits        | map                                  | honoured
services.*.deploy.resources.limits.cpus   | number|string                        | honoured
services.*.deploy.resources.limits.memory | string|number                        | honoured
services.*.deploy.resources.limits.pids   | integer|string                       | refused   | the number of processes cannot be limited yet
services.*.deploy.resources.reservations  | map                                  | honoured
services.*.deploy.resources.reservations.cpus | number|string                    | honoured
services.*.deploy.resources.reservations.devices | list<map capabilities!>       | ${devices}
services.*.deploy.resources.reservations.devices.capabilities | list<string>     | ${devices}
services.*.deploy.resources.reservations.devices.count | string|integer          | ${devices}
services.*.deploy.resources.reservations.devices.device_ids | list<string>       | ${devices}
services.*.deploy.resources.reservations.devices.driver | string                 | ${devices}
services.*.deploy.resources.reservations.devices.options | dict                  | ${devices}
services.*.deploy.resources.reservations.generic_resources | list<map>           | ${devices}
services.*.deploy.resources.reservations.generic_resources.discrete_resource_spec | map | ${devices}
services.*.deploy.resources.reservations.generic_resources.discrete_resource_spec.kind | string | ${devices}
services.*.deploy.resources.reservations.generic_resources.discrete_resource_spec.value | number|string | ${devices}
services.*.deploy.resources.reservations.memory | string|number                  | honoured
services.*.deploy.restart_policy          | map                                  | honoured
services.*.deploy.restart_policy.condition | string                              | honoured
services.*.deploy.restart_policy.delay    | string                               | warned    | restarts back off exponentially, from 10 s to 5 min
services.*.deploy.restart_policy.max_attempts | integer|string                   | honoured
services.*.deploy.restart_policy.window   | string                               | warned    | a container that ran for 10 min begins its back-off anew
services.*.deploy.rollback_config         | map                                  | ${swarm}
services.*.deploy.rollback_config.delay   | string                               | ${swarm}
services.*.deploy.rollback_config.failure_action | string                        | ${swarm}
services.*.deploy.rollback_config.max_failure_ratio | number|string              | ${swarm}
services.*.deploy.rollback_config.monitor | string                               | ${swarm}
services.*.deploy.rollback_config.order   | enum(start-first,stop-first)         | ${swarm}
services.*.deploy.rollback_config.parallelism | integer|string                   | ${swarm}
services.*.deploy.update_config           | map                                  | honoured
services.*.deploy.update_config.delay     | string                               | ${swarm}
services.*.deploy.update_config.failure_action | string                          | honoured  | pause, which is what a replica that does not get ready does; others are refused
services.*.deploy.update_config.max_failure_ratio | number|string                | ${swarm}
services.*.deploy.update_config.monitor   | string                               | ${swarm}
services.*.deploy.update_config.order     | enum(start-first,stop-first)         | honoured  | stop-first; start-first is refused
services.*.deploy.update_config.parallelism | integer|string                     | honoured
services.*.develop                        | map|null                             | ${watching}
services.*.develop.watch                  | list<map path! action!>              | ${watching}
services.*.develop.watch.action           | enum(rebuild,sync,restart,sync+restart,sync+exec) | ${watching}
services.*.develop.watch.exec             | map command!                         | ${watching}
services.*.develop.watch.exec.command     | string|list<string>|null             | ${watching}
services.*.develop.watch.exec.environment | dict                                 | ${watching}
services.*.develop.watch.exec.privileged  | boolean                              | ${watching}
services.*.develop.watch.exec.user        | string                               | ${watching}
services.*.develop.watch.exec.working_dir | string                               | ${watching}
services.*.develop.watch.ignore           | string|list<string>                  | ${watching}
services.*.develop.watch.include          | string|list<string>                  | ${watching}
services.*.develop.watch.initial_sync     | boolean                              | ${watching}
services.*.develop.watch.path             | string                               | ${watching}
services.*.develop.watch.target           | string                               | ${watching}
services.*.device_cgroup_rules            | list<string>                         | ${devices}
services.*.devices                        | list<string|map source!>             | ${devices}
services.*.devices.permissions            | string                               | ${devices}
services.*.devices.source                 | string                               | ${devices}
services.*.devices.target                 | string                               | ${devices}
services.*.dns                            | string|list<string>                  | refused   | a name server of its own would not know the services of the stack
services.*.dns_opt                        | list<string>                         | honoured
services.*.dns_search                     | string|list<string>                  | honoured
services.*.domainname                     | string                               | refused   | names of containers have no domain
services.*.entrypoint                     | string|list<string>|null             | honoured
services.*.env_file                       | string|list<string|map path!>        | honoured
services.*.env_file.format                | string                               | honoured
services.*.env_file.path                  | string                               | honoured
services.*.env_file.required              | boolean                              | honoured
services.*.environment                    | dict                                 | honoured
services.*.expose                         | list<string|number>                  | honoured
services.*.extends                        | string|map service!                  | honoured
services.*.extends.file                   | string                               | honoured
services.*.extends.service                | string                               | honoured
services.*.external_links                 | list<string>                         | refused   | join a network with external: true instead
services.*.extra_hosts                    | dict                                 | honoured
services.*.gpus                           | enum(all)|list<map>                  | ${devices}
services.*.gpus.capabilities              | list<string>                         | ${devices}
services.*.gpus.count                     | string|integer                       | ${devices}
services.*.gpus.device_ids                | list<string>                         | ${devices}
services.*.gpus.driver                    | string                               | ${devices}
services.*.gpus.options                   | dict                                 | ${devices}
services.*.group_add                      | list<string|number>                  | honoured  | group numbers; names are refused
services.*.healthcheck                    | map                                  | honoured  | decides who is healthy; an unhealthy container is not stopped
services.*.healthcheck.disable            | boolean                              | honoured
services.*.healthcheck.interval           | string                               | honoured
services.*.healthcheck.retries            | number|string                        | honoured
services.*.healthcheck.start_interval     | string                               | warned    | interval is used from the start
services.*.healthcheck.start_period       | string                               | honoured  | a service is not healthy before its first success, however long that takes
services.*.healthcheck.test               | string|list<string>                  | honoured
services.*.healthcheck.timeout            | string                               | honoured
services.*.hostname                       | string                               | honoured
services.*.image                          | string                               | honoured
services.*.init                           | boolean                              | refused   | the node cannot put an init process into a container yet: use an image with one
services.*.ipc                            | string                               | honoured  | host, private and shareable; others are refused
services.*.isolation                      | string                               | ${linux}
services.*.label_file                     | string|list<string>                  | honoured
services.*.labels                         | dict                                 | honoured
services.*.links                          | list<string>                         | honoured
services.*.logging                        | map                                  | warned    | the node keeps and rotates logs itself
services.*.logging.driver                 | string                               | warned    | the node keeps and rotates logs itself
services.*.logging.options                | map                                  | warned    | the node keeps and rotates logs itself
services.*.mac_address                    | string                               | ${addressing}
services.*.mem_limit                      | number|string                        | honoured
services.*.mem_reservation                | string|integer                       | honoured
services.*.mem_swappiness                 | integer|string                       | ${swap}
services.*.memswap_limit                  | number|string                        | ${swap}
services.*.models                         | list<string>|map                     | ${model}
services.*.models.*                       | map|null                             | ${model}
services.*.models.*.endpoint_var          | string                               | ${model}
services.*.models.*.model_var             | string                               | ${model}
services.*.network_mode                   | string                               | honoured  | host; none, service:, container: are refused
services.*.networks                       | list<string>|map                     | honoured
services.*.networks.*                     | map|null                             | honoured
services.*.networks.*.aliases             | list<string>                         | honoured
services.*.networks.*.driver_opts         | map                                  | ${driver}
services.*.networks.*.gw_priority         | number                               | warned    | a pod has one interface for all its networks
services.*.networks.*.interface_name      | string                               | refused   | a pod has one interface for all its networks
services.*.networks.*.ipv4_address        | string                               | ${addressing}
services.*.networks.*.ipv6_address        | string                               | ${addressing}
services.*.networks.*.link_local_ips      | list<string>                         | ${addressing}
services.*.networks.*.mac_address         | string                               | ${addressing}
services.*.networks.*.priority            | number                               | warned    | a pod has one interface for all its networks
services.*.oom_kill_disable               | boolean                              | refused   | a container over its memory limit is killed
services.*.oom_score_adj                  | string|integer                       | warned    | follows from requests and limits
services.*.pid                            | string|null                          | honoured  | host; others are refused
services.*.pids_limit                     | number|string                        | refused   | the number of processes cannot be limited yet
services.*.platform                       | string                               | honoured  | os/architecture of the node
services.*.ports                          | list<number|string|map>              | honoured
services.*.ports.app_protocol             | string                               | honoured
services.*.ports.host_ip                  | string                               | honoured
services.*.ports.mode                     | string                               | honoured  | ingress; host is warned of
services.*.ports.name                     | string                               | honoured
services.*.ports.protocol                 | string                               | honoured
services.*.ports.published                | string|integer                       | honoured
services.*.ports.target                   | integer|string                       | honoured
services.*.post_start                     | list<map command!>                   | ${hook}
services.*.post_start.command             | string|list<string>|null             | ${hook}
services.*.post_start.environment         | dict                                 | ${hook}
services.*.post_start.privileged          | boolean                              | ${hook}
services.*.post_start.user                | string                               | ${hook}
services.*.post_start.working_dir         | string                               | ${hook}
services.*.pre_start                      | list<map>                            | ${hook}
services.*.pre_stop                       | list<map command!>                   | ${hook}
services.*.pre_stop.command               | string|list<string>|null             | ${hook}
services.*.pre_stop.environment           | dict                                 | ${hook}
services.*.pre_stop.privileged            | boolean                              | ${hook}
services.*.pre_stop.user                  | string                               | ${hook}
services.*.pre_stop.working_dir           | string                               | ${hook}
services.*.privileged                     | boolean                              | honoured
services.*.profiles                       | list<string>                         | honoured
services.*.provider                       | map type!                            | refused   | Berth runs containers and no providers of other things
services.*.provider.options               | map                                  | refused   | Berth runs containers and no providers of other things
services.*.provider.type                  | string                               | refused   | Berth runs containers and no providers of other things
services.*.pull_policy                    | string                               | honoured  | always, missing, never; others are refused
services.*.pull_refresh_after             | string                               | refused   | an image that is there is not pulled again after some time
services.*.read_only                      | boolean                              | honoured
services.*.restart                        | string                               | honoured
services.*.runtime                        | string                               | refused   | nodes have one runtime
services.*.scale                          | integer|string                       | honoured
services.*.secrets                        | list<string|map>                     | honoured
services.*.secrets.gid                    | string                               | warned    | the file belongs to root: choose a mode that its reader may read
services.*.secrets.mode                   | number|string                        | honoured
services.*.secrets.source                 | string                               | honoured
services.*.secrets.target                 | string                               | honoured
services.*.secrets.uid                    | string                               | warned    | the file belongs to root: choose a mode that its reader may read
services.*.security_opt                   | list<string>                         | honoured  | no-new-privileges; others are refused
services.*.shm_size                       | number|string                        | honoured
services.*.stdin_open                     | boolean                              | honoured
services.*.stop_grace_period              | string                               | honoured
services.*.stop_signal                    | string                               | refused   | containers are stopped by the signal that their image names (STOPSIGNAL), or by TERM
services.*.storage_opt                    | map                                  | refused   | the size of a container's own file system cannot be limited yet
services.*.sysctls                        | dict                                 | honoured
services.*.tmpfs                          | string|list<string>                  | honoured
services.*.tty                            | boolean                              | honoured
services.*.ulimits                        | map                                  | refused   | process limits cannot be set on a container yet
services.*.ulimits.*                      | integer|string|map                   | refused   | process limits cannot be set on a container yet
services.*.ulimits.*.hard                 | integer|string                       | refused   | process limits cannot be set on a container yet
services.*.ulimits.*.soft                 | integer|string                       | refused   | process limits cannot be set on a container yet
services.*.use_api_socket                 | boolean                              | refused   | there is no Docker engine behind Berth
services.*.user                           | string                               | honoured
services.*.userns_mode                    | string                               | refused   | user namespaces are not set up yet
services.*.uts                            | string                               | refused   | a pod has a host name of its own
services.*.volumes                        | list<string|map type!>               | honoured
services.*.volumes.bind                   | map                                  | honoured
services.*.volumes.bind.create_host_path  | boolean                              | honoured  | true; false is warned of: a missing path is made on the node
services.*.volumes.bind.propagation       | string                               | honoured  | private, rslave and rshared; others are refused
services.*.volumes.bind.recursive         | enum(enabled,disabled,writable,readonly) | refused | mounts below the path cannot be left out
services.*.volumes.bind.selinux           | enum(z,Z)                            | warned    | nodes do not label files for SELinux
services.*.volumes.consistency            | string                               | warned    | for Docker Desktop
services.*.volumes.image                  | map                                  | refused   | images cannot be mounted yet
services.*.volumes.image.subpath          | string                               | refused   | images cannot be mounted yet
services.*.volumes.read_only              | boolean                              | honoured
services.*.volumes.source                 | string                               | honoured
services.*.volumes.target                 | string                               | honoured
services.*.volumes.tmpfs                  | map                                  | honoured
services.*.volumes.tmpfs.mode             | number|string                        | warned    | a tmpfs is mounted with mode 777
services.*.volumes.tmpfs.size             | integer|string                       | honoured
services.*.volumes.type                   | enum(bind,volume,tmpfs,cluster,npipe,image) | honoured | bind, volume and tmpfs; others are refused
services.*.volumes.volume                 | map                                  | honoured
services.*.volumes.volume.labels          | dict                                 | warned    | labels of an anonymous volume are not kept
services.*.volumes.volume.nocopy          | boolean                              | honoured  | never copied: what the image has at a volume's path is not put into the volume
services.*.volumes.volume.subpath         | string                               | honoured
services.*.volumes_from                   | list<string>                         | refused   | name the volumes in both services
services.*.working_dir                    | string                               | honoured

models.*                                  | map model!                           | warned    | have no effect: Berth runs no AI models
models.*.context_size                     | integer                              | warned    | have no effect: Berth runs no AI models
models.*.model                            | string                               | warned    | have no effect: Berth runs no AI models
models.*.name                             | string                               | warned    | have no effect: Berth runs no AI models
models.*.runtime_flags                    | list<string>                         | warned    | have no effect: Berth runs no AI models

networks.*                                | map|null                             | honoured
networks.*.attachable                     | boolean                              | warned    | every network may be joined by name with external: true
networks.*.driver                         | string                               | honoured  | bridge, overlay and default, which are the same here; others are refused
networks.*.driver_opts                    | map                                  | ${driver}
networks.*.enable_ipv4                    | boolean                              | honoured  | true; false is refused
networks.*.enable_ipv6                    | boolean                              | refused   | pods have IPv4 addresses only
networks.*.external                       | boolean|string|map                   | honoured
networks.*.external.name                  | string                               | honoured
networks.*.internal                       | boolean                              | refused   | networks are not isolated yet
networks.*.ipam                           | map                                  | ${addressing}
networks.*.ipam.config                    | list<map>                            | ${addressing}
networks.*.ipam.config.aux_addresses      | map                                  | ${addressing}
networks.*.ipam.config.gateway            | string                               | ${addressing}
networks.*.ipam.config.ip_range           | string                               | ${addressing}
networks.*.ipam.config.subnet             | string                               | ${addressing}
networks.*.ipam.driver                    | string                               | ${addressing}
networks.*.ipam.options                   | map                                  | ${addressing}
networks.*.labels                         | dict                                 | warned    | a network is no object of its own
networks.*.name                           | string                               | honoured

volumes.*                                 | map|null                             | honoured
volumes.*.driver                          | string                               | honoured  | local; others are refused
volumes.*.driver_opts                     | map                                  | honoured  | a bind mount in disguise (o: bind, device: /path); others are refused
volumes.*.external                        | boolean|string|map                   | honoured
volumes.*.external.name                   | string                               | honoured
volumes.*.labels                          | dict                                 | honoured
volumes.*.name                            | string                               | honoured

secrets.*                                 | map                                  | honoured
secrets.*.driver                          | string                               | ${external}
secrets.*.driver_opts                     | map                                  | ${external}
secrets.*.environment                     | string                               | honoured
secrets.*.content                         | string                               | honoured
secrets.*.external                        | boolean|string|map                   | honoured
secrets.*.external.name                   | string                               | honoured
secrets.*.file                            | string                               | honoured
secrets.*.labels                          | dict                                 | honoured
secrets.*.name                            | string                               | honoured
secrets.*.template_driver                 | string                               | ${external}

configs.*                                 | map                                  | honoured
configs.*.content                         | string                               | honoured
configs.*.environment                     | string                               | honoured
configs.*.external                        | boolean|string|map                   | honoured
configs.*.external.name                   | string                               | honoured
configs.*.file                            | string                               | honoured
configs.*.labels                          | dict                                 | honoured
configs.*.name                            | string                               | honoured
configs.*.template_driver                 | string                               | ${external}
`;

/** The table in its order. */
export const composeKeys: readonly ComposeKey[] = table
  .split('\n')
  .filter((line) => line.includes('|'))
  .map((line) => {
    // The values may hold bars themselves; columns are set apart by bars with spaces.
    const [path = '', values = '', support = '', reason = ''] = line.split(/ +\| +| +\|$/).map((column) => column.trim());
    if (support !== 'honoured' && support !== 'refused' && support !== 'warned') throw new Error(`keys.ts: not a row: ${line}`);
    return { path, values, support, reason };
  });
