/** The first address of a range of IPv4 addresses, which is the cluster IP of the API server's own Service: `10.43.0.0/16` → `10.43.0.1`. */
export function firstAddressOf(range: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(range);
  const octets = match?.slice(1, 5).map(Number) ?? [];
  const bits = Number(match?.[5]);
  if (match === null || octets.some((octet) => octet > 255) || bits < 8 || bits > 29) {
    throw new Error(`${JSON.stringify(range)} is no range of IPv4 addresses with 8 to 29 bits, such as 10.43.0.0/16`);
  }
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const first = address - (address % 2 ** (32 - bits)) + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
}
