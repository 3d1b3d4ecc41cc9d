/**
 * The version that the server gives itself. Clients take from it which Kubernetes they speak to: kubectl warns when its own is more than one
 * minor version away, and nothing else.
 */
const minor = 33;

export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

/** `berthVersion` is the package's: `0.1.0`. */
export function versionInfo(berthVersion: string): VersionInfo {
  return {
    major: '1',
    minor: String(minor),
    gitVersion: `v1.${minor}.0+berth.${berthVersion}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node${process.version}`,
    compiler: 'v8',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}
