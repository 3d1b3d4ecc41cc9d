import { expect, test } from '@jest/globals';
import { renderComposeCompatibility } from './compatibility.ts';

test('every key is in the text, but for those inside of one that is refused or warned of', () => {
  const text = renderComposeCompatibility();
  expect(text).toContain('| `services.*.image` | honoured |  |');
  expect(text).toMatch(/\| `services\.\*\.init` \| refused \| .+ \|/);
  expect(text).toContain('| `services.*.ulimits` | refused |');
  expect(text).not.toContain('services.*.ulimits.*');
});
