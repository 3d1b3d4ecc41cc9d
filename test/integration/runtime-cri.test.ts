import { test } from '@jest/globals';
import { CriRuntime } from '#agent/runtime/cri/cri-runtime';
import { runtimeSuite } from '#agent/runtime/runtime.suite';
import { isInNamespace } from './in-namespace.ts';
import { busyboxImage, startPrivateContainerd, whyNoContainers } from './private-containerd.ts';

const reason = whyNoContainers();

const shell = (script: string): { image: string; command: readonly string[] } => ({
  image: busyboxImage,
  command: ['/bin/sh', '-c', script],
});

if (reason !== undefined) {
  test.skip(`the cri driver on containerd (${reason})`, () => undefined);
} else if (isInNamespace(import.meta.url)) {
  runtimeSuite('cri on containerd', async () => {
    const own = await startPrivateContainerd(1);
    const runtime = new CriRuntime({ endpoint: own.containerd.endpoint, instance: 'node-1' });
    const stranger = new CriRuntime({ endpoint: own.containerd.endpoint, instance: 'node-2' });
    return {
      runtime,
      stranger,
      programs: {
        runsOn: { image: busyboxImage, command: ['/bin/sleep', '3600'] },
        exitsWith3: shell('exit 3'),
        ignoresTerm: shell('trap "" TERM; while true; do sleep 1; done'),
        missingProgram: { image: busyboxImage, command: ['/no/such/program'] },
        outOfMemory: shell('x=0123456789abcdef; while true; do x="$x$x"; done'),
      },
      commands: {
        speaks: ['/bin/sh', '-c', 'printf out; printf err >&2; exit 4'],
        hangs: ['/bin/sleep', '60'],
        missing: ['/no/such/command'],
      },
      missingImage: '127.0.0.1:9/no/such:1',
      passTime: async () => undefined,
      close: async () => {
        runtime.close();
        stranger.close();
        await own.close();
      },
    };
  });
}
