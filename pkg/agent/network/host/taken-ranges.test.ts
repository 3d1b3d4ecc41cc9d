import { describe, expect, test } from '@jest/globals';
import { findTakenRange } from './taken-ranges.ts';

const addresses = `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever
5: cni-berth0    inet 10.42.0.1/24 scope global cni-berth0\\       valid_lft forever preferred_lft forever
`;
const routes = `default via 192.0.2.1 dev eth0
10.42.0.0/24 dev cni-berth0 proto kernel scope link src 10.42.0.1
10.43.0.0/16 dev cni-berth0 scope link src 10.42.0.1
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2
`;
const taken = (ranges: string[], bridge: string, more = ''): string | undefined => {
  const found = findTakenRange(ranges, bridge, addresses, routes + more);
  return found === undefined ? undefined : `${found.range}: ${found.device} has ${found.what}`;
};

describe('ranges of a cluster on a machine', () => {
  test('are free for the bridge that has them', () => {
    expect(taken(['10.42.0.0/24', '10.43.0.0/16'], 'cni-berth0')).toBeUndefined();
  });

  test('are taken for another bridge', () => {
    expect(taken(['10.42.0.0/24', '10.43.0.0/16'], 'cni-other')).toBe('10.42.0.0/24: cni-berth0 has the address 10.42.0.1');
    expect(taken(['10.50.0.0/24', '10.43.0.0/16'], 'cni-other')).toBe('10.43.0.0/16: cni-berth0 has a route to 10.43.0.0/16');
  });

  test('are taken by a route to a part of them or to one address, not by a wider one', () => {
    expect(taken(['10.50.0.0/16'], 'cni-other', '10.50.7.0/24 via 192.0.2.9 dev tun0\n')).toBe(
      '10.50.0.0/16: tun0 has a route to 10.50.7.0/24',
    );
    expect(taken(['10.50.0.0/16'], 'cni-other', '10.50.7.3 dev tun0 scope link\n')).toBe('10.50.0.0/16: tun0 has a route to 10.50.7.3/32');
    expect(taken(['10.50.0.0/16'], 'cni-other', '10.0.0.0/8 via 192.0.2.9 dev tun0\ndefault dev tun0\n')).toBeUndefined();
  });

  test('other ranges are free', () => {
    expect(taken(['10.52.0.0/24', '10.53.0.0/16'], 'cni-other')).toBeUndefined();
  });
});
