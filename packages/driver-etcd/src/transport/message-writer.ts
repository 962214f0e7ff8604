const FIRST_BYTES = 16_384

/**
 * Writes a protobuf message from its end to its beginning, so that the length of what lies inside of another message is known when it is
 * needed. Fields are written in reverse.
 */
export class MessageWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #at = FIRST_BYTES

  /** How much was written so far: the mark of a message that ends here. */
  get written(): number {
    return this.#bytes.length - this.#at
  }

  /** All that was written. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(this.#at))
  }

  /** Begins anew. */
  clear(): void {
    this.#at = this.#bytes.length
  }

  /** A field of bytes. */
  bytes(field: number, value: Uint8Array): void {
    this.#room(value.length)
    this.#at -= value.length
    this.#bytes.set(value, this.#at)
    this.#head(field, value.length)
  }

  /** A field of a number that is no fraction and not negative. */
  number(field: number, value: number): void {
    this.#varint(value)
    this.#varint(field << 3)
  }

  /** A field of a number that may need 64 bits. */
  long(field: number, value: bigint): void {
    const septets: number[] = []
    for (let left = BigInt.asUintN(64, value); septets.length === 0 || left > 0n; left >>= 7n)
      septets.push(Number(left & 127n))
    this.#room(septets.length)
    for (let at = septets.length - 1; at >= 0; at--)
      this.#bytes[--this.#at] = (septets[at] as number) | (at === septets.length - 1 ? 0 : 128)
    this.#varint(field << 3)
  }

  /** Makes all that was written since the mark the message of a field. */
  message(field: number, mark: number): void {
    this.#head(field, this.written - mark)
  }

  #head(field: number, length: number): void {
    this.#varint(length)
    this.#varint((field << 3) | 2)
  }

  #varint(value: number): void {
    this.#room(10)
    if (value < 128) {
      this.#bytes[--this.#at] = value
      return
    }
    let size = 1
    for (let left = value; left >= 128; left = Math.floor(left / 128)) size++
    this.#at -= size
    let left = value
    for (let at = this.#at; ; at++) {
      const isLast = left < 128
      this.#bytes[at] = (left % 128) | (isLast ? 0 : 128)
      if (isLast) return
      left = Math.floor(left / 128)
    }
  }

  #room(size: number): void {
    if (this.#at >= size) return
    const more = Math.max(size, this.#bytes.length)
    const bytes = Buffer.allocUnsafe(this.#bytes.length + more)
    this.#bytes.copy(bytes, this.#at + more, this.#at)
    this.#bytes = bytes
    this.#at += more
  }
}
