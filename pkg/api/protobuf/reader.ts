/**
 * Reads protobuf within bounds: whatever the bytes are, it throws `ProtobufError` or moves on. Lengths are checked before anything is allocated.
 */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** More fields and items than an object may have (`maximumValues` of schema/json.ts). */
export class TooManyValuesError extends ProtobufError {}

export class Reader {
  readonly #bytes: Buffer;
  readonly #most: number;
  #values = 0;
  position: number;
  /** Where the message that is being read ends. */
  end: number;

  /** `most`: fields and items that may be read in all. */
  constructor(bytes: Uint8Array, most: number) {
    this.#most = most;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
    this.end = bytes.length;
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  /** The head of the next field. Counts it. */
  tag(): number {
    this.count(1);
    return this.varint();
  }

  /** Counts values that have no head of their own. */
  count(values: number): void {
    this.#values += values;
    if (this.#values > this.#most) throw new TooManyValuesError(`more than ${this.#most} values`);
  }

  /** An unsigned number; exact below 2⁵³. */
  varint(): number {
    let result = 0;
    let factor = 1;
    for (let index = 0; index < 10; index++) {
      if (this.position >= this.end) throw new ProtobufError('unexpected end');
      const byte = this.#bytes[this.position++] ?? 0;
      result += (byte & 127) * factor;
      if (byte < 128) return result;
      factor *= 128;
    }
    throw new ProtobufError('a number is longer than ten bytes');
  }

  /** A signed number of 64 bits; one beyond 2⁵³ is refused, for JSON could not carry it. */
  int64(): number {
    const start = this.position;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    let exact = 0n;
    for (let index = this.position - 1; index >= start; index--) exact = (exact << 7n) | BigInt((this.#bytes[index] ?? 0) & 127);
    const signed = Number(BigInt.asIntN(64, exact));
    if (!Number.isSafeInteger(signed)) throw new ProtobufError(`the number ${BigInt.asIntN(64, exact)} does not fit 53 bits`);
    return signed;
  }

  int32(): number {
    return this.int64() | 0;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.position);
    this.position += 8;
    return value;
  }

  /** A length that lies within the message. */
  length(): number {
    const length = this.varint();
    this.#need(length);
    return length;
  }

  string(): string {
    const length = this.length();
    const start = this.position;
    this.position += length;
    if (length <= 16) {
      let text = '';
      for (let index = start; index < this.position; index++) {
        const code = this.#bytes[index] ?? 0;
        if (code > 127) return this.#bytes.toString('utf8', start, this.position);
        text += String.fromCharCode(code);
      }
      return text;
    }
    return this.#bytes.toString('utf8', start, this.position);
  }

  base64(): string {
    const length = this.length();
    const start = this.position;
    this.position += length;
    return this.#bytes.toString('base64', start, this.position);
  }

  /** A view, no copy. */
  bytes(): Uint8Array {
    const length = this.length();
    const start = this.position;
    this.position += length;
    return this.#bytes.subarray(start, this.position);
  }

  skip(wireType: number): void {
    switch (wireType) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#need(8);
        this.position += 8;
        return;
      case 2: {
        const length = this.length();
        this.position += length;
        return;
      }
      case 5:
        this.#need(4);
        this.position += 4;
        return;
      default:
        throw new ProtobufError(`illegal wire type ${wireType}`);
    }
  }

  /** Enters a message of the length that stands here; give what it returns to `leave`. */
  enter(): number {
    const length = this.length();
    const outer = this.end;
    this.end = this.position + length;
    return outer;
  }

  leave(outer: number): void {
    this.position = this.end;
    this.end = outer;
  }

  #need(size: number): void {
    if (size > this.end - this.position) throw new ProtobufError('unexpected end');
  }
}
