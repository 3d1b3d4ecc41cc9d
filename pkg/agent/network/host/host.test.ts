import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { defaultRouteDevice } from './bridge.ts';
import { wantedRules } from './host-firewall.ts';
import { changeKernelSettings, restoreKernelSettings } from './kernel-settings.ts';
import { PortHolder, portKey, type WantedPort } from './port-holder.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-host-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('kernel settings', () => {
  test('are put back to what the machine had, also after several changes by several processes', () => {
    const root = join(folder, 'sys');
    const record = join(folder, 'record', 'settings.json');
    mkdirSync(join(root, 'net'), { recursive: true });
    writeFileSync(join(root, 'net/forward'), '0\n');
    writeFileSync(join(root, 'net/filter'), '1\n');
    expect(changeKernelSettings(record, { 'net/forward': '1', 'net/filter': '1', 'net/none': '1' }, root)).toEqual(['net/none']);
    changeKernelSettings(record, { 'net/forward': '2' }, root);
    expect(readFileSync(join(root, 'net/forward'), 'utf8')).toBe('2');
    restoreKernelSettings(record, root);
    expect(readFileSync(join(root, 'net/forward'), 'utf8')).toBe('0');
    expect(readFileSync(join(root, 'net/filter'), 'utf8')).toBe('1\n');
    writeFileSync(join(root, 'net/forward'), '5');
    restoreKernelSettings(record, root);
    expect(readFileSync(join(root, 'net/forward'), 'utf8')).toBe('5');
  });
});

describe("rules in another's firewall", () => {
  const needs = { mark: 'berth', bridge: 'cni-berth0' };

  test('are wanted where its policy drops, once', () => {
    expect(wantedRules('-P INPUT ACCEPT\n-P FORWARD ACCEPT\n', needs)).toEqual([]);
    const dropping = '-P INPUT DROP\n-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n';
    expect(wantedRules(dropping, needs).map(([chain, ...match]) => [chain, match.slice(0, 2).join(' ')])).toEqual([
      ['FORWARD', '-i cni-berth0'],
      ['FORWARD', '-o cni-berth0'],
      ['INPUT', '-i cni-berth0'],
    ]);
    const done = `${dropping}-A FORWARD -i cni-berth0 -m comment --comment berth -j ACCEPT\n-A INPUT -i cni-berth0 -m comment --comment "berth" -j ACCEPT\n`;
    expect(wantedRules(done, needs)).toEqual([]);
    expect(wantedRules(done, { ...needs, mark: 'berth-2' })).toHaveLength(3);
  });
});

describe('the device of the default route', () => {
  const header = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n';

  test('is the one without a destination', () => {
    expect(
      defaultRouteDevice(`${header}eth1\t0002000A\t0\t1\t0\t0\t0\t00FFFFFF\t0\neth0\t00000000\t010200C0\t3\t0\t0\t0\t00000000\t0\n`),
    ).toBe('eth0');
    expect(defaultRouteDevice(header)).toBeUndefined();
  });
});

describe('held ports', () => {
  const on = (protocol: WantedPort['protocol'], port: number, address = '127.0.0.1'): WantedPort => ({ protocol, address, port });

  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  test('are taken from everyone else, and let go when no longer wanted', async () => {
    const port = await freePort();
    const holder = new PortHolder();
    const other = new PortHolder();
    try {
      expect(await holder.hold([on('tcp', port), on('udp', port)])).toEqual(new Map());
      expect([...(await other.hold([on('tcp', port), on('udp', port)])).keys()]).toEqual([on('tcp', port), on('udp', port)].map(portKey));
      await holder.hold([on('udp', port)]);
      expect([...(await other.hold([on('tcp', port), on('udp', port)])).keys()]).toEqual([portKey(on('udp', port))]);
    } finally {
      await holder.close();
      await other.close();
    }
  });

  test('that another program has are told with what to do', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind({ port: 0, address: '127.0.0.1', exclusive: true }, resolve));
    const holder = new PortHolder();
    const wanted = on('udp', socket.address().port);
    expect((await holder.hold([wanted])).get(portKey(wanted))).toContain('another program on this node uses the port');
    const elsewhere = on('tcp', 8_080, '192.0.2.200');
    expect((await holder.hold([elsewhere])).get(portKey(elsewhere))).toContain("none of this node's");
    await holder.close();
    socket.close();
  });
});
