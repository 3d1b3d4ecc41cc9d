/**
 * Writes protobuf from the last byte to the first: the length of a message is then known before its head is written, and nothing is measured twice.
 */
export class ReverseWriter {
  #buffer: Buffer;
  #start: number;

  constructor(capacity = 2048) {
    this.#buffer = Buffer.allocUnsafe(capacity);
    this.#start = capacity;
  }

  /** How many bytes have been written: the difference of two readings is a message's length. */
  get length(): number {
    return this.#buffer.length - this.#start;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, this.#start);
  }

  #reserve(size: number): void {
    if (this.#start >= size) return;
    const used = this.length;
    let capacity = this.#buffer.length * 2;
    while (capacity < used + size) capacity *= 2;
    const grown = Buffer.allocUnsafe(capacity);
    this.#buffer.copy(grown, capacity - used, this.#start);
    this.#buffer = grown;
    this.#start = capacity - used;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#start -= value.length;
    this.#buffer.set(value, this.#start);
  }

  /** Base64 text as raw bytes, with their length before them. */
  base64(text: string): void {
    this.prefixed(Buffer.from(text, 'base64'));
  }

  prefixed(value: Uint8Array): void {
    this.bytes(value);
    this.varint(value.length);
  }

  /** UTF-8 with its length before it. */
  string(text: string): void {
    const size = text.length;
    if (size <= 48) {
      this.#reserve(size);
      const buffer = this.#buffer;
      const start = this.#start - size;
      let index = 0;
      for (; index < size; index++) {
        const code = text.charCodeAt(index);
        if (code > 127) break;
        buffer[start + index] = code;
      }
      if (index === size) {
        this.#start = start;
        this.varint(size);
        return;
      }
    }
    const length = Buffer.byteLength(text);
    this.#reserve(length);
    this.#start -= length;
    this.#buffer.write(text, this.#start, length, 'utf8');
    this.varint(length);
  }

  /** Any safe integer; negative ones take ten bytes, as two's complement of 64 bits. */
  varint(value: number): void {
    if (value < 0) {
      this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    this.#reserve(size);
    this.#start -= size;
    let rest = value;
    for (let index = 0; index < size - 1; index++) {
      this.#buffer[this.#start + index] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#start + size - 1] = rest;
  }

  #bigVarint(value: bigint): void {
    const bytes: number[] = [];
    let rest = value;
    while (rest >= 128n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.bytes(Uint8Array.from(bytes));
  }

  double(value: number): void {
    this.#reserve(8);
    this.#start -= 8;
    this.#buffer.writeDoubleLE(value, this.#start);
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }
}
