import { describe, expect, test } from '@jest/globals';
import { negotiate, parseAccept } from './media-type.ts';

const none = new URLSearchParams();
const kubectlGet = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';

describe('parseAccept', () => {
  test('orders by quality, then as written, and drops what is not wanted', () => {
    const types = parseAccept('text/html;q=0.2, application/yaml;q=0.9,application/json, a/b;q=0, nonsense').map((media) => media.type);
    expect(types).toEqual(['application/json', 'application/yaml', 'text/html']);
  });
});

describe('negotiate', () => {
  test('gives JSON to whoever takes anything', () => {
    for (const accept of [undefined, '', '*/*', 'application/*', 'application/json, */*']) {
      expect(negotiate(accept, none)).toMatchObject({ encoding: 'json', shape: 'object' });
    }
  });

  test('gives a table where one can be made, else the next form that the client takes', () => {
    expect(negotiate(kubectlGet, none, { shapes: ['Table'] })).toMatchObject({ encoding: 'json', shape: 'Table', version: 'v1' });
    expect(negotiate(kubectlGet, none)).toMatchObject({ encoding: 'json', shape: 'object' });
    expect(negotiate('application/json;as=Table;v=v1beta1;g=meta.k8s.io', none, { shapes: ['Table'] })).toMatchObject({
      version: 'v1beta1',
    });
  });

  test('takes protobuf before JSON when the client does', () => {
    expect(negotiate('application/vnd.kubernetes.protobuf,application/json', none)).toMatchObject({ encoding: 'protobuf' });
    expect(negotiate('application/vnd.kubernetes.protobuf,application/json', none, { encodings: ['json'] })).toMatchObject({
      encoding: 'json',
    });
  });

  test('refuses with the list of what there is', () => {
    expect(() => negotiate('text/html', none)).toThrow(
      'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
    expect(() => negotiate('application/json;as=Table;v=v9;g=meta.k8s.io', none, { shapes: ['Table'] })).toThrow(/only the following/);
  });
});
