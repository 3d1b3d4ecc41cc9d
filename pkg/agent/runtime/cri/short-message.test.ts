import { describe, expect, test } from '@jest/globals';
import { shortMessage } from './short-message.ts';

describe('a runtime’s reason in short', () => {
  test.each([
    [
      'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory: unknown',
      'exec: "/nope": stat /nope: no such file or directory',
    ],
    [
      'rpc error: code = NotFound desc = failed to pull and unpack image "r.test/a:1": failed to resolve reference "r.test/a:1": r.test/a:1: not found',
      'r.test/a:1: not found',
    ],
    [
      'failed to pull and unpack image "r.test/a:1": failed to resolve reference "r.test/a:1": failed to do request: Head "https://r.test/v2/a/manifests/1": dial tcp: lookup r.test on 10.0.0.53:53: read udp 10.0.0.2:34269->10.0.0.53:53: i/o timeout',
      'Head "https://r.test/v2/a/manifests/1": dial tcp: lookup r.test on 10.0.0.53:53: read udp 10.0.0.53:53: i/o timeout',
    ],
    [
      `unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/pod1/${'0f'.repeat(32)}: cannot allocate memory: unknown`,
      'unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/pod1/...: cannot allocate memory',
    ],
    [`image sha256:${'0f'.repeat(32)} not found`, `image sha256:${'0f'.repeat(32)} not found`],
    [
      'failed to create containerd container: mount callback failed on /x/containerd-mount2660193414: no users found',
      'failed to create containerd container: mount callback failed on /x/containerd-mount: no users found',
    ],
    ['something else', 'something else'],
    [': unknown', ': unknown'],
  ])('%s', (long, short) => {
    expect(shortMessage(long)).toBe(short);
  });
});
