import { expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { FakeRuntime } from '../runtime/fake/fake-runtime.ts';
import { type ExecResult, RuntimeError, type RuntimeErrorCode } from '../runtime/runtime.ts';
import { exec } from './exec.ts';
import type { ProbeResult } from './probe-action.ts';

class Answering extends FakeRuntime {
  answer: ExecResult | RuntimeError = new RuntimeError('Unknown', 'nothing');

  override async execSync(): Promise<ExecResult> {
    if (this.answer instanceof RuntimeError) throw this.answer;
    return this.answer;
  }
}

async function resultOf(answer: ExecResult | RuntimeError): Promise<ProbeResult> {
  const runtime = new Answering({ clock: new ManualClock() });
  runtime.answer = answer;
  const target = { runtime, container: { name: 'main', image: 'i' }, containerId: 'c', address: '' };
  return await exec.run({ exec: { command: ['x'] } }, target, 2000);
}

const output = (exitCode: number, text = ''): ExecResult => ({ exitCode, stdout: Buffer.from(text), stderr: Buffer.alloc(0) });
const failure = (code: RuntimeErrorCode, message = 'why'): RuntimeError => new RuntimeError(code, message);

test('the exit code decides, and what was written is said', async () => {
  expect(await resultOf(output(0, 'fine'))).toEqual({ success: true, message: '' });
  expect(await resultOf(output(3, 'bad day'))).toEqual({ success: false, message: 'bad day' });
  expect(await resultOf(output(3))).toEqual({ success: false, message: 'command exited with code 3' });
});

test('a command that takes too long or is not there has failed', async () => {
  expect(await resultOf(failure('DeadlineExceeded'))).toEqual({ success: false, message: 'command timed out after 2s' });
  expect(await resultOf(failure('NotFound', 'exec: "x": executable file not found'))).toMatchObject({ success: false });
});

test.each(['Unavailable', 'Unknown'] as const)('a runtime that answers %s says nothing of the container', async (code) => {
  await expect(resultOf(failure(code))).rejects.toMatchObject({ code });
});
