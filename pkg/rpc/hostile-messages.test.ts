/** Whatever bytes come, a message of the agent protocol or a join token is read or refused with an Error. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AgentMessage, EnrollRequest, RenewRequest, ServerMessage, TunnelData } from './generated/agent.ts';
import { parseJoinToken } from './join-token.ts';

const seeded = { seed: 20_260_104, numRuns: 500 };

function survives(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(TypeError);
    // Endless recursion and lengths beyond all bounds are RangeErrors too, but with words of the engine.
    expect((error as Error).message).not.toMatch(/call stack|Invalid (array|typed array|string) length|allocation/i);
  }
}

test('messages of the agent protocol', () => {
  const hello = { $case: 'hello' as const, value: { nodeName: 'a', agentVersion: '1', revision: '7', node: Buffer.from('{}') } };
  const whole = AgentMessage.encode(AgentMessage.fromPartial({ message: hello })).finish();
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .array(fc.tuple(fc.nat(Math.max(0, whole.length - 1)), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 })
      .map((changes) => {
        const changed = Uint8Array.from(whole);
        for (const [at, byte] of changes) changed[at] = byte;
        return changed;
      }),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      for (const type of [AgentMessage, ServerMessage, EnrollRequest, RenewRequest, TunnelData]) survives(() => type.decode(given));
    }),
    seeded,
  );
  // A field within a field within a field, and groups without end.
  for (const byte of [0x0a, 0x0b, 0x7b, 0xff]) survives(() => AgentMessage.decode(new Uint8Array(200_000).fill(byte)));
});

test('join tokens', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom('berth1', '.', 'a', '0', ' ', '\n'), { maxLength: 100 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (given) => {
      expect(() => parseJoinToken(given)).toThrow('berth token create');
    }),
    seeded,
  );
});
