/** Rules for addresses that services and endpoints name. */
import { isIP } from 'node:net';
import { parseAddressRange } from '../address-ranges.ts';
import type { FieldErrors } from '../field-errors.ts';

const addressFault = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const rangeFault = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** Adds a fault for what is no address, and tells whether it is one. */
export function requireAddress(value: string, path: string, errors: FieldErrors): boolean {
  if (isIP(value) !== 0) return true;
  errors.invalid(path, value, addressFault);
  return false;
}

export function requireRange(value: string, path: string, errors: FieldErrors): void {
  if (parseAddressRange(value) === undefined) errors.invalid(path, value, rangeFault);
}

/** Addresses that nothing outside of a machine can be reached at. For text that is an address. */
export function requireReachable(address: string, path: string, errors: FieldErrors): void {
  const lower = address.toLowerCase();
  if (address === '0.0.0.0' || /^[0:]+$/.test(lower)) errors.invalid(path, address, `may not be unspecified (${address})`);
  if (address.startsWith('127.') || /^(?:0*:)+0*1$/.test(lower)) {
    errors.invalid(path, address, 'may not be in the loopback range (127.0.0.0/8, ::1/128)');
  }
  if (address.startsWith('169.254.') || /^fe[89ab]/.test(lower)) {
    errors.invalid(path, address, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (address.startsWith('224.0.0.') || lower.startsWith('ff02:')) {
    errors.invalid(path, address, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
}
