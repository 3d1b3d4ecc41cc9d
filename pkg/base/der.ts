/**
 * The little of ASN.1's DER that certificates and signing requests need, written and read by hand: a library that can do all of it takes a
 * quarter of a second to load.
 */

/** One value with its tag. Throws for more than 64 KiB. */
export function element(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return element(0x31, Buffer.concat(parts));
}

/** From the encoded bytes of the identifier. */
export function objectId(bytes: readonly number[]): Buffer {
  return element(0x06, Buffer.from(bytes));
}

/** From big-endian bytes, the first of them below 128. */
export function integer(bytes: Uint8Array): Buffer {
  return element(0x02, bytes);
}

export function octetString(content: Uint8Array): Buffer {
  return element(0x04, content);
}

/** `unused`: how many bits at the end of the last byte do not count. */
export function bitString(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.concat([Buffer.from([unused]), content]));
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}

export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag and length included. */
  readonly whole: Buffer;
  /** What follows. */
  readonly rest: Buffer;
}

/** The first value of `bytes`. Throws `RangeError` where they end too early. */
export function readElement(bytes: Buffer): DerElement {
  const tag = bytes.readUInt8(0);
  let length = bytes.readUInt8(1);
  let start = 2;
  if (length & 0x80) {
    const size = length & 0x7f;
    length = bytes.readUIntBE(2, size);
    start += size;
  }
  const end = start + length;
  if (end > bytes.length) throw new RangeError('truncated');
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(0, end), rest: bytes.subarray(end) };
}

/** The text form: `CERTIFICATE`, `CERTIFICATE REQUEST`. */
export function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  if (length < 0x10000) return Buffer.from([0x82, length >> 8, length & 0xff]);
  throw new RangeError(`a value of ${length} bytes is too long for what is written here`);
}
