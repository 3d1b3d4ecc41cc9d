import { expect, test } from '@jest/globals';
import { kinds } from '#api/kinds/index';
import { controllers } from '#controllers/index';

test('no kind that a controller is named for is called stored only in docs/compatibility.md, nor to who creates one', () => {
  const named = kinds.filter(({ kind }) => controllers.some(({ name }) => name === kind.toLowerCase()));
  expect(named.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['Deployment', 'ReplicaSet', 'Job', 'DaemonSet', 'EndpointSlice', 'Stack']),
  );
  expect(named.filter(({ support }) => support !== 'acted on').map(({ kind }) => kind)).toEqual([]);
});
