import { describe, expect, test } from '@jest/globals';
import { descriptionOf, fieldDescriptions } from './descriptions.ts';
import { typeTable } from './schema/type-table.ts';

test('every description is of a field that there is, and one or two whole sentences', () => {
  for (const [typeName, fields] of Object.entries(fieldDescriptions)) {
    const names = typeTable.get(typeName).fields.map(({ name }) => name);
    for (const [field, description] of Object.entries(fields)) {
      if (field !== '') expect({ typeName, names }).toMatchObject({ names: expect.arrayContaining([field]) });
      expect(description).toMatch(/^[^\s].*\S$/);
    }
  }
});

describe('descriptionOf', () => {
  test.each([
    ['the type itself', ['core.v1.Container'], 'A program from an image, with its surroundings.'],
    ['a field', ['core.v1.Container', 'image'], 'What to run: the name of an image, with a tag or digest.'],
    ['a field that every kind has', ['apps.v1.Deployment', 'spec', true], 'What is wanted.'],
    ['a field of the same name in what is no kind', ['core.v1.PodTemplateSpec', 'spec'], undefined],
    ['a field without one', ['core.v1.Container', 'nothing'], undefined],
  ] as const)('%s', (_what, [type, field, isKind], description) => {
    expect(descriptionOf(type, field, isKind)).toBe(description);
  });
});
