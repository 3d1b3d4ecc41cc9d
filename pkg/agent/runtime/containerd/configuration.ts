/** What Berth's own containerd is told: pure text, version 2 of the format, which containerd 1.6 to 2.x read. */
import type { ContainerdLayout } from './layout.ts';

export interface ContainerdConfiguration {
  readonly layout: ContainerdLayout;
  readonly sandboxImage: string;
  readonly runc: string;
  readonly cniPlugins: string;
  /** `overlayfs`, or `native` where the disk cannot carry an overlay. */
  readonly snapshotter: string;
  /** Where CAP_SYS_RESOURCE is missing: without it every sandbox would fail with a misleading error of runc's. */
  readonly restrictOomScoreAdjustment: boolean;
}

/**
 * Cgroups are runc's own (not systemd's slices) on every host: the agent makes the pods' cgroups and collects them itself, and one path
 * holds for v1 and v2. Namespaces live under the state folder, so that removing it leaves nothing. Unprivileged ports and ping are
 * open to users inside a container, as Docker has it and Compose files expect.
 */
export function renderContainerdConfiguration(configuration: ContainerdConfiguration): string {
  const { layout } = configuration;
  return `# Written by Berth at each start: changes are lost.
version = 2
root = ${quote(layout.root)}
state = ${quote(layout.state)}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
required_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
  address = ${quote(layout.socket)}

[debug]
  level = "warn"

[plugins."io.containerd.internal.v1.opt"]
  path = ${quote(`${layout.folder}/opt`)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${quote(configuration.sandboxImage)}
  restrict_oom_score_adj = ${configuration.restrictOomScoreAdjustment}
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${quote(configuration.cniPlugins)}
    conf_dir = ${quote(layout.cniConfiguration)}

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${quote(layout.registries)}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = ${quote(configuration.snapshotter)}
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = ${quote(configuration.runc)}
        SystemdCgroup = false
`;
}

/** A basic TOML string; JSON's escapes are TOML's as well. */
function quote(text: string): string {
  return JSON.stringify(text);
}
